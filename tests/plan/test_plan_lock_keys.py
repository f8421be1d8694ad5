"""Lock keys: one canonical form, and what overlaps what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.plan.lock_keys import LockKeyError, canonical, claim_order, contains, foreign, overlap

CANONICAL = [
    "api:GET /v1/users", "api:DELETE /", "api:POST /v1/users/{id}", "api:GET /v1/*", "db:migration-slot",
    "db:schema:users", "event:user.created", "event:v2.x", "flag:billing", "flag:billing/x", "flag:billing/*",
    "env:shared_fixtures", "env:PORT", "env:project-context-cli", "contract:openapi/v1.yaml", "contract:events/*",
    "contract:gen-eval:cli", "feature:FEAT-123", "feature:add-login:api", "feature:project_context:store",
]  # fmt: skip


@pytest.mark.parametrize("key", CANONICAL)
def test_a_canonical_key_stays_as_it_is(key: str) -> None:
    assert canonical(key) == key


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("api:get /v1/users", "api:GET /v1/users"),
        ("api:GET v1/users", "api:GET /v1/users"),
        ("api:GET   /v1/users ", "api:GET /v1/users"),
        ("api:GET/v1/users", "api:GET /v1/users"),
        ("api:GET /v1/Users", "api:GET /v1/users"),
        ("db:schema:Users\n", "db:schema:users"),
        ("db:Migration-Slot", "db:migration-slot"),
        ("event:User.Created", "event:user.created"),
        ("flag:Billing/*", "flag:billing/*"),
        (" env : PORT", "env:PORT"),
        ("feature:FEAT-123:PAUSE", "feature:FEAT-123:pause"),
    ],
)
def test_a_key_that_can_only_mean_one_thing_is_put_right(key: str, expected: str) -> None:
    assert canonical(key) == expected


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("users", "feature:<id>:users"),
        ("src/api.py", "locks.files"),
        (":users", "feature:<id>:users"),
        ("config:", "config:part"),
        ("API:get /v1/Users", "did you mean api:GET /v1/users?"),
        ("Env:PORT", "did you mean env:PORT?"),
        ("envs:PORT", "did you mean env:PORT?"),
        ("events:User.Created", "did you mean event:user.created?"),
        ("evnt:user.created", "did you mean event:user.created?"),
        ("evetn:user.created", "did you mean event:user.created?"),
        ("Falg:billing", "did you mean flag:billing?"),
        ("contact:a.yaml", "did you mean contract:a.yaml?"),
        ("feeature:a", "did you mean feature:a?"),
        ("apis:guardrails", "did you mean api:?"),
        ("api:guardrails", "api:GET /v1/guardrails"),
        ("api:GTE /v1/users", "api:GET /v1/users"),
        ("api:* /v1/users", "api:GET /v1/users"),
        ("api:GET /v1/*/users", "api:…/*"),
        ("api:GET /v1/us*", "api:…/*"),
        ("api:", "api:GET /v1/users"),
        ("db:schema:", "db:schema:<table>"),
        ("db:schema:user-table", "db:schema:user_table"),
        ("db:migration_slot", "db:migration-slot"),
        ("event:user..created", "event:user.created"),
        ("event:user.*", "event:user"),
        ("flag:*", "flag:…/*"),
        ("flag:a b", "flag:a-b"),
        ("env:A B", "env:A-B"),
        ("contract:", "contract:openapi/v1.yaml"),
        ("contract:../x.yaml", "contract:x.yaml"),
        ("contract:/x.yaml", "contract:x.yaml"),
        ("contract:a\\b", "contract:"),
        ("feature:", "feature:add-login:api"),
        ("feature:a:", "feature:a"),
        ("feature:a:b:c", "feature:a:b-c"),
        ("env:a\x1b[31m", "control"),
    ],
)
def test_any_other_key_is_refused_with_one_to_write(key: str, hint: str) -> None:
    with pytest.raises(LockKeyError) as caught:
        canonical(key)
    assert hint in caught.value.hint
    assert len(caught.value.what) < 250


FOREIGN = [
    "config:profiles:base", "module:src.api.app", "route:/api/v1/Search", "impl:x", "app:a", "ai:b", "bd:x", "enb:x",
    "apps:a b", "config:a*b", "x:*", "Config:a", "eventful:x", "flagship:x", "\u30b9:x",
]  # fmt: skip


@pytest.mark.parametrize("key", FOREIGN)
def test_a_key_of_another_namespace_is_compared_as_it_is_written(key: str) -> None:
    assert canonical(f" {key}\n") == key
    assert foreign(key) == key.partition(":")[0]


def test_a_known_namespace_is_not_foreign() -> None:
    assert [foreign(key) for key in CANONICAL] == [""] * len(CANONICAL)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [("config:*", "config:a"), ("config:a:*", "config:a:b"), ("module:src.*", "module:src.api"), ("r:/a/*", "r:/a/b")],
)
def test_a_last_segment_of_another_namespace_may_be_a_wildcard(outer: str, inner: str) -> None:
    assert overlap(inner, outer)
    assert not overlap(outer, outer[:-2])
    assert not overlap(outer, f"x{inner}")


def test_the_case_of_another_namespace_counts() -> None:
    assert not overlap("config:Base", "config:base")
    assert not overlap("Config:base", "config:base")


def test_a_wildcard_means_everything_below_and_not_the_thing_itself() -> None:
    assert overlap("flag:billing/*", "flag:billing/x")
    assert overlap("flag:billing/x/y", "flag:billing/*")
    assert overlap("flag:billing/*", "flag:billing/x/*")
    assert not overlap("flag:billing/*", "flag:billing")
    assert not overlap("flag:billing/*", "flag:billing2/x")
    assert not overlap("flag:a", "flag:b")
    assert overlap("api:GET /*", "api:GET /v1/users")
    assert not overlap("api:GET /*", "api:POST /v1/users")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("contract:openapi/V1.yaml", "contract:OpenAPI/v1.yaml"),
        ("contract:caf\u00e9.yaml", "contract:cafe\u0301.yaml"),
        ("contract:OpenAPI/*", "contract:openapi/v1.yaml"),
        ("api:GET /v1/users/{id}", "api:GET /v1/users/{user_id}"),
        ("api:GET /v1/users/{id}", "api:GET /v1/users/:id/"),
        ("api:GET /v1/users/<int:id>/files/{name}.json", "api:GET /v1/users/[id]/files/{file}.json"),
        ("api:GET /v1/users/", "api:GET /v1/users"),
        ("api:GET /v1/{a}/*", "api:GET /v1/{b}/x"),
    ],
)
def test_one_thing_has_one_key_however_it_is_spelt(one: str, other: str) -> None:
    assert overlap(canonical(one), canonical(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("api:GET /v1/users/{id}", "api:GET /v1/users/me"),
        ("api:GET /v1/users/{id}", "api:GET /v1/users"),
        ("api:GET /v1/users:batch", "api:GET /v1/users:list"),
        ("api:GET /", "api:GET /v1"),
        ("contract:a.yaml", "contract:b.yaml"),
        ("env:A", "env:a"),
    ],
)
def test_other_things_have_other_keys(one: str, other: str) -> None:
    assert not overlap(canonical(one), canonical(other))


@pytest.mark.parametrize("name", ["git~1/x", ".git/config", "a/.GIT::$DATA", ".g\u200bit/../.git /x", "a.yaml::$DATA"])
def test_no_contract_lies_in_a_git_folder_or_is_a_stream(name: str) -> None:
    with pytest.raises(LockKeyError):
        canonical(f"contract:{name}")


def test_containment_has_a_direction() -> None:
    assert contains("flag:billing/*", "flag:billing/x")
    assert contains("flag:billing/*", "flag:billing/x/*")
    assert contains("env:a", "env:a")
    assert not contains("flag:billing/x", "flag:billing/*")


def test_claims_are_merged_and_ordered_by_code_point() -> None:
    assert claim_order(["src/b.py", "Makefile"], ["db:schema:u", "api:GET /x", "Makefile"]) == [
        "Makefile",
        "api:GET /x",
        "db:schema:u",
        "src/b.py",
    ]


PIECES = st.lists(
    st.sampled_from(
        [
            "api",
            "db",
            "event",
            "events",
            "config",
            "flag",
            "feature",
            "contract",
            "env",
            ":",
            "/",
            "*",
            ".",
            " ",
            "A",
            "b",
            "GET",
            "schema",
            "\n",
        ]
    ),
    max_size=8,
).map("".join)


@given(PIECES | st.text(max_size=30))
def test_the_canonical_form_of_anything_is_canonical(key: str) -> None:
    try:
        form = canonical(key)
    except LockKeyError as error:
        assert error.what
        assert error.hint
    else:
        assert canonical(form) == form
        assert overlap(form, form)
