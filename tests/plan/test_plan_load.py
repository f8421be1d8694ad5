"""From the text of a plan to a `Plan`, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_impl import schema
from parallel_impl.errors import Severity
from parallel_impl.plan.model import Contracts, Locks, Package, Plan, Scope, SharedFile, SharingRule, Step, StepKind
from parallel_impl.plan.reading.load import load

HEAD = """\
schema_version: 1
feature: {id: orders}
packages:
"""
STEP = "verification: {steps: [{name: unit, command: pytest -q}]}"


def package(package_id: str, *fields: str) -> str:
    """One package with a scope of its own; a field that is given replaces the one that stands here."""
    own = ["description: does it", f"scope: {{write_allow: [lib/{package_id}/**]}}", STEP]
    names = {field.partition(":")[0] for field in fields}
    rows = [*(field for field in own if field.partition(":")[0] not in names), *fields]
    return f"  - package_id: {package_id}\n" + "".join(f"    {row}\n" for row in rows)


def plan(text: str) -> Plan:
    """The plan in `text`, about which nothing is said."""
    loaded, problems = load(text.encode(), "p.yaml")
    assert problems == []
    assert loaded is not None
    return loaded


def said(text: str) -> list[str]:
    """Everything that is said about `text`, each problem on one line."""
    loaded, problems = load(text.encode(), "p.yaml")
    assert (loaded is None) == any(problem.severity is Severity.ERROR for problem in problems)
    return [str(problem).replace("\n    ", " | ") for problem in problems]


def test_the_least_plan_has_every_default() -> None:
    assert plan(HEAD + package("wp-a")) == Plan(
        feature_id="orders",
        packages=(
            Package(
                id="wp-a",
                description="does it",
                scope=Scope(write_allow=("lib/wp-a/**",), read_allow=("**",), deny=()),
                priority=5,
                timeout_minutes=60,
                retry_budget=1,
                locks=Locks(),
                steps=(Step("unit", StepKind.COMMAND, "pytest -q", timeout_minutes=60),),
            ),
        ),
        revision=1,
        contracts=Contracts(),
        source="p.yaml",
    )


def test_defaults_fill_packages_and_a_package_overrides_them() -> None:
    text = HEAD.replace("packages:", "defaults: {priority: 2, timeout_minutes: 7, retry_budget: 0,\n"
                        "  verification_tier_required: C}\npackages:")  # fmt: skip
    first, second = plan(
        text
        + package("wp-a")
        + package("wp-b", "priority: 9", "timeout_minutes: 8", "retry_budget: 3",
                  "verification: {tier_required: A, steps: [{name: u, command: x},"
                  " {name: v, command: z, timeout_minutes: 1}]}",
                  )
    ).packages  # fmt: skip
    assert (first.priority, first.timeout_minutes, first.retry_budget, first.tier_required) == (2, 7, 0, "C")
    assert (second.priority, second.timeout_minutes, second.retry_budget, second.tier_required) == (9, 8, 3, "A")
    assert [step.timeout_minutes for step in (*first.steps, *second.steps)] == [7, 8, 1]


def with_defaults(defaults: str) -> str:
    return HEAD.replace("packages:", f"defaults: {{{defaults}}}\npackages:")


@pytest.mark.parametrize(
    ("default", "own", "read", "filled"),
    [
        ("depends_on: [wp-z]", "depends_on: []", lambda one: one.depends_on, ("wp-z",)),
        ("scope: {deny: [a/b]}", "scope: {write_allow: [lib/x/**], deny: []}", lambda one: one.scope.deny, ("a/b",)),
        ("scope: {read_allow: [a/b]}", "scope: {write_allow: [lib/x/**], read_allow: ['**']}",
         lambda one: one.scope.read_allow, ("a/b",)),
        ("locks: {files: [a.py]}", "locks: {files: []}", lambda one: one.locks.files, ("a.py",)),
        ("locks: {keys: ['env:A']}", "locks: {keys: []}", lambda one: one.locks.keys, ("env:A",)),
        ("priority: 2", "priority: 5", lambda one: one.priority, 2),
        ("timeout_minutes: 7", "timeout_minutes: 60", lambda one: one.timeout_minutes, 7),
        ("retry_budget: 0", "retry_budget: 1", lambda one: one.retry_budget, 0),
        ("verification_tier_required: B", "verification: {tier_required: A}", lambda one: one.tier_required, "B"),
        ("verification: {tier_required: B}", "verification: {tier_required: A}", lambda one: one.tier_required, "B"),
        ("verification: {tier_required: B}, verification_tier_required: C", "verification: {tier_required: A}",
         lambda one: one.tier_required, "B"),
        ("verification: {steps: [{name: a, command: x}]}", "verification: {steps: []}", lambda one: one.steps,
         (Step("a", command="x", timeout_minutes=60),)),
    ],
)  # fmt: skip
def test_each_default_fills_the_packages_that_do_not_give_their_own(
    default: str, own: str, read: Callable[[Package], object], filled: object
) -> None:
    text = with_defaults(default) + package("wp-a", "verification: {}") + package("wp-b", own) + package("wp-z")
    loaded, problems = load(text.encode(), "p.yaml")
    assert loaded is not None, problems
    assert read(loaded.packages[0]) == filled
    assert read(loaded.packages[1]) != filled


def test_every_default_that_the_schema_admits_is_filled_in_or_named_as_not_acted_on() -> None:
    keys = set(schema.document("work-packages")["properties"]["defaults"]["properties"])
    assert keys == {
        "depends_on", "scope", "locks", "priority", "timeout_minutes", "retry_budget", "verification",
        "verification_tier_required",  # each in the test above
        "lock_ttl_minutes", "min_trust_level",  # named in the warning below
    }  # fmt: skip


def test_a_step_of_the_defaults_has_the_time_limit_of_its_package() -> None:
    steps = "verification: {steps: [{name: a, command: x}, {name: b, command: x, timeout_minutes: 1}]}"
    first, second = plan(
        with_defaults(f"timeout_minutes: 7, {steps}")
        + package("wp-a", "verification: {tier_required: A}")
        + package("wp-b", "verification: {}", "timeout_minutes: 8")
    ).packages
    assert [step.timeout_minutes for step in (*first.steps, *second.steps)] == [7, 1, 8, 1]


def test_packages_that_the_default_depends_on_names_wait_for_nobody_by_default() -> None:
    text = with_defaults("depends_on: [wp-a, wp-b]") + package("wp-a") + package("wp-b") + package("wp-c")
    assert [one.depends_on for one in plan(text).packages] == [(), (), ("wp-a", "wp-b")]


def test_what_is_wrong_with_defaults_is_said_once_where_it_stands() -> None:
    steps = "verification: {steps: [{name: a, command: x, env: {PATH: x}}]}"
    text = with_defaults(f"depends_on: [wp-x], scope: {{deny: [/abs]}}, locks: {{keys: [env]}}, {steps}")
    lines = said(text + package("wp-a") + package("wp-b"))
    assert [line.partition("(")[2].partition(")")[0] for line in lines] == [
        "defaults.depends_on[0]", "defaults.scope.deny[0]", "defaults.locks.keys[0]",
        "defaults.verification.steps[0].env.PATH",
    ]  # fmt: skip
    (line,) = said(with_defaults("scope: {write_allow: [src/**]}") + package("wp-a"))
    assert line == "p.yaml:3:20: error: unknown key write_allow (defaults.scope.write_allow) | " + (
        "delete it; known keys: read_allow, deny"
    )


def test_a_cycle_through_the_defaults_is_said_there() -> None:
    text = with_defaults("depends_on: [wp-a]") + package("wp-a", "depends_on: [wp-b]") + package("wp-b")
    assert said(text) == [
        "p.yaml:9:18: error: 2 packages wait for each other (wp-a, wp-b): wp-a -> wp-b -> wp-a "
        "(packages[0].depends_on[0]) | delete wp-b from the depends_on of wp-a"
    ]
    text = with_defaults("depends_on: [wp-z]") + package("wp-a") + package("wp-z", "depends_on: [wp-a]")
    assert said(text) == [
        "p.yaml:3:12: error: 2 packages wait for each other (wp-a, wp-z): wp-a -> wp-z -> wp-a "
        "(defaults.depends_on) | give wp-a a depends_on of its own, without wp-z"
    ]


def test_everything_that_is_acted_on_is_read() -> None:
    text = """\
schema_version: 1
feature: {id: orders, title: Orders, plan_revision: 3}
change_id: orders
contracts: {revision: 2, openapi: {primary: contracts/v1.yaml, files: [contracts/v1.yaml, contracts/e.sql]}}
packages:
  - package_id: wp_a
    name: The A
    description: does it
    task_type: backend
    role: implementer
    archetype: service
    may_be_empty: true
    tasks: ["1.1", 1.10, 2]
    depends_on: [wp-b]
    scope: {write_allow: [src/**], read_allow: [docs/**], deny: [src/x]}
    locks: {files: [a.py], keys: ["env:PORT", "env:PORT "]}
    verification:
      steps:
        - {name: argv, command: [pytest, -q], cwd: ./web/, env: {COUNT: 1, T: true, S: x, PYTHONPATH: "src:lib"},
           expect_exit_code: 3, writes: true, evidence: {artifacts: [out/a.xml], result_keys: [k]}}
        - {name: look, kind: manual, manual_instructions: open it}
        - {name: flow, kind: ci, ci: {workflow: ci.yml, required_checks: [test, lint]}}
    inputs: {contract_revision: 1, tasks: ["é"]}
    outputs: {result_keys: [done], artifacts: [out/b]}
""" + package("wp-b")
    loaded, problems = load(text.encode(), "p.yaml")
    assert [str(problem) for problem in problems] == [
        "p.yaml:16:47: notice: lock key 'env:PORT ' is read as 'env:PORT' (packages[0].locks.keys[1])\n"
        '    write "env:PORT"',
        "p.yaml: warning: read and not acted on: outputs.artifacts\n"
        "    nothing that is run or checked depends on these fields",
    ]
    assert loaded is not None
    assert (loaded.title, loaded.revision) == ("Orders", 3)
    assert loaded.contracts == Contracts(2, "contracts/v1.yaml", ("contracts/v1.yaml", "contracts/e.sql"))
    assert loaded.packages[0] == Package(
        id="wp_a",
        description="does it",
        scope=Scope(("src/**",), ("docs/**",), ("src/x",)),
        title="The A",
        task_type="backend",
        role="implementer",
        archetype="service",
        may_be_empty=True,
        tasks=("1.1", "1.10", "2"),
        inputs='inputs:\n  contract_revision: 1\n  tasks: ["é"]\n'
        'outputs:\n  result_keys: ["done"]\n  artifacts: ["out/b"]',
        depends_on=("wp-b",),
        locks=Locks(files=("a.py",), keys=("env:PORT",)),
        steps=(
            Step(
                "argv",
                StepKind.COMMAND,
                ("pytest", "-q"),
                "web",
                (("COUNT", "1"), ("T", "true"), ("S", "x"), ("PYTHONPATH", "src:lib")),
                3,
                writes=True,
                artifacts=("out/a.xml",),
                result_keys=("k",),
            ),
            Step("look", StepKind.MANUAL, instructions="open it"),
            Step("flow", StepKind.CI, instructions="github workflow ci.yml: checks test, lint"),
        ),
        output_keys=("done",),
        output_artifacts=("out/b",),
    )


def test_what_a_plan_says_about_itself_is_read() -> None:
    head = HEAD.replace(
        "packages:",
        f"plan_base_commit: '{'1' * 40}'\ntasks_hash: '{'a' * 64}'\n"
        "shared_files: [{path: lib/wp-a/x.py, rule: owner, package: wp-a}, {path: m.md, rule: integration-only}]\n"
        "packages:",
    )
    fields = ("tasks: ['1.1', 2]", "creates: [lib/wp-b/new.py]", "depends_on: [wp-a]", "foundation: true")
    several = ("reasons: {wp-a: imports it}", "evidence: {lib/wp-b/x.py: named by 1.1}", "weight: 2.5")
    found = plan(head + package("wp-a", "weight: 3", "evidence: [by hand]") + package("wp-b", *fields, *several))
    assert (found.base_commit, found.tasks_hash) == ("1" * 40, "a" * 64)
    assert found.shared_files == (
        SharedFile("lib/wp-a/x.py", SharingRule.OWNER, "wp-a"),
        SharedFile("m.md", SharingRule.INTEGRATION_ONLY),
    )
    first, second = found.packages
    assert (first.weight, first.evidence, first.foundation) == (3.0, (("", "by hand"),), False)
    assert (second.tasks, second.creates, second.weight) == (("1.1", "2"), ("lib/wp-b/new.py",), 2.5)
    assert (second.reasons, second.evidence) == ((("wp-a", "imports it"),), (("lib/wp-b/x.py", "named by 1.1"),))
    assert second.foundation


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (
            "reasons: {wp-c: imports it}",
            "p.yaml:13:15: error: wp-b gives a reason to depend on wp-c, and does not depend on it "
            "(packages[1].reasons.wp-c) | did you mean wp-a?",
        ),
        (
            "creates: [lib/wp-b/*.py]",
            'p.yaml:13:15: error: names no file: "lib/wp-b/*.py" (packages[1].creates[0])'
            " | write the path of each file, without * or ?",
        ),
    ],
)
def test_a_reason_is_for_a_dependency_and_a_new_file_is_one_path(field: str, expected: str) -> None:
    assert said(HEAD + package("wp-a") + package("wp-b", "depends_on: [wp-a]", field)) == [expected]


def test_a_shared_file_has_one_rule_and_an_owner_that_exists() -> None:
    rows = ("{path: a.py, rule: owner, package: wp-x}", "{path: b.py, rule: owner}", "{path: a.py, rule: owner}")
    text = HEAD.replace("packages:", f"shared_files:\n  - {rows[0]}\n  - {rows[1]}\n  - {rows[2]}\npackages:")
    assert said(text + package("wp-a")) == [
        "p.yaml:4:40: error: no package is called wp-x (shared_files[0].package) | did you mean wp-a?",
        "p.yaml:5:5: error: the rule of b.py is owner, and no package is named (shared_files[1])"
        " | add e.g. package: wp-api",
        "p.yaml:6:5: error: the rule of a.py is owner, and no package is named (shared_files[2])"
        " | add e.g. package: wp-api",
        "p.yaml:6:12: error: a.py has a rule already, in line 4 (shared_files[2].path) | delete one of the two",
    ]


def test_a_primary_contract_is_among_the_files() -> None:
    text = HEAD.replace("packages:", "contracts: {openapi: {primary: a.yaml, files: [b.yaml]}}\npackages:")
    assert plan(text + package("wp-a")).contracts.files == ("a.yaml", "b.yaml")


@pytest.mark.parametrize(
    ("key", "value", "files"),
    [
        ("readme", "c/README.md", ("c/README.md",)),
        ("schemas", "[c/a.schema.json, c/b.schema.json]", ("c/a.schema.json", "c/b.schema.json")),
        ("schemas", "{primary: c/a.json, files: [c/a.json, c/b.json]}", ("c/a.json", "c/b.json")),
        ("schemas", "{files: [v1.yaml, c/b.json]}", ("c/b.json",)),
    ],
)
def test_schemas_and_readme_are_read_as_further_contract_files_with_a_warning(
    key: str, value: str, files: tuple[str, ...]
) -> None:
    written = f"contracts: {{openapi: {{files: [v1.yaml]}}, {key}: {value}}}\npackages:"
    loaded, problems = load((HEAD.replace("packages:", written) + package("wp-a")).encode(), "p.yaml")
    assert loaded is not None
    assert loaded.contracts.files == ("v1.yaml", *files)
    assert loaded.contracts.written[-1][:2] == ("contracts", key)
    (problem,) = [problem for problem in problems if problem.path == f"contracts.{key}"]
    assert (problem.severity, problem.what) == (
        "warning",
        f"contracts.{key} is read as further contract files",
    )


def test_a_further_contract_file_is_checked_as_any_path_is() -> None:
    text = HEAD.replace("packages:", "contracts: {readme: /etc/passwd}\npackages:")
    loaded, problems = load((text + package("wp-a")).encode(), "p.yaml")
    assert loaded is None
    assert any(problem.path == "contracts.readme" and problem.severity == "error" for problem in problems)


def test_positions_are_kept_for_later_checks() -> None:
    loaded = plan(HEAD + package("wp-a") + package("wp-b"))
    assert loaded.where("packages", 1, "scope", "write_allow", 0) == "p.yaml:10:27"
    assert loaded.where("packages", 1, "locks", "keys", 0) == "p.yaml:8:5"


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    text = (
        HEAD
        + package("wp-a", "prioritty: 1", "depends_on: [wp-bb]", "locks: {keys: [events:x]}")
        + package("wp-b", "priority: 11")
    )
    assert said(text) == [
        "p.yaml:8:5: error: unknown key prioritty (packages[0].prioritty) | did you mean priority?",
        "p.yaml:9:18: error: no package is called wp-bb (packages[0].depends_on[0]) | did you mean wp-b?",
        "p.yaml:10:20: error: unknown namespace events: in events:x (packages[0].locks.keys[0]) | did you "
        "mean event:x?",
        "p.yaml:15:15: error: must be at most 10, not 11 (packages[1].priority) | write e.g. priority: 5",
    ]


def test_lock_keys_of_other_namespaces_are_reported_once_for_the_whole_plan() -> None:
    text = HEAD + package("wp-a", "locks: {keys: [impl:x, config:y]}") + package("wp-b", "locks: {keys: [impl:z]}")
    assert said(text) == [
        "p.yaml:8:20: notice: lock keys that are compared as they are written: impl:, config: "
        "(packages[0].locks.keys[0]) | two packages that spell the same thing differently do not exclude each other",
    ]


def test_yaml_that_cannot_be_read_is_said() -> None:
    assert said("a: [") == [
        "p.yaml:2:1: error: not valid YAML: did not find expected node content while parsing a flow node (a[0]) | "
        "look at quotes, brackets and indentation here and in the line above"
    ]


def test_id_for_package_id_is_an_older_spelling() -> None:
    text = (
        HEAD
        + package("wp-a").replace("package_id", "id")
        + package("wp-b", "dependencies: [wp-a]", "depends_on: [wp-a]")
    )
    assert said(text) == [
        "p.yaml: error: an older spelling of plans (id for package_id) | parallel-impl validate p.yaml --fix",
        "p.yaml:12:5: error: unknown key dependencies (packages[1].dependencies) | did you mean depends_on? "
        "It is there already: delete dependencies",
    ]


@pytest.mark.parametrize(
    ("package_id", "expected"),
    [
        ("WP-A", "'WP-A' is not a package id (packages[0].package_id) | write wp-a (lower case"),
        ('"wp-a\\n"', "'wp-a\\n' is not a package id (packages[0].package_id) | write wp-a (lower case"),
        ("a--b", "'a--b' is not a package id (packages[0].package_id) | write a-b (lower case"),
        (
            "archive",
            "'archive' is a reserved name and cannot be a package id (packages[0].package_id) | write wp-archive",
        ),
    ],
)
def test_an_id_that_cannot_be_used_is_answered_with_one_that_can(package_id: str, expected: str) -> None:
    (line,) = said(HEAD + package("wp-a").replace("package_id: wp-a", f"package_id: {package_id}"))
    assert line.startswith(f"p.yaml:4:17: error: {expected}")


def test_a_reserved_or_other_change_id_is_refused() -> None:
    assert said(HEAD.replace("orders", "con") + package("wp-a")) == [
        "p.yaml:2:15: error: 'con' is a reserved name and cannot be a change-id (feature.id) | write add-con"
    ]
    assert said(HEAD + package("wp-a") + "change_id: other\n") == [
        "p.yaml:8:12: error: change_id is 'other', feature.id 'orders' (change_id) | delete change_id"
    ]


def test_an_id_may_be_used_once() -> None:
    assert said(HEAD + package("wp-a") + package("wp-a")) == [
        "p.yaml:8:17: error: the package_id wp-a is used a second time (packages[1].package_id) | "
        "rename this one, or the one in line 4"
    ]


def test_a_cycle_is_one_error_with_its_members_and_a_short_cycle() -> None:
    three = package("a", "depends_on: [b]") + package("b", "depends_on: [c]") + package("c", "depends_on: [a]")
    assert said(HEAD + three) == [
        "p.yaml:8:18: error: 3 packages wait for each other (a, b, c): a -> b -> c -> a (packages[0].depends_on[0]) | "
        "delete b from the depends_on of a"
    ]
    assert said(HEAD + package("a", "depends_on: [a]")) == [
        "p.yaml:8:18: error: a depends on itself (packages[0].depends_on[0]) | delete a from the depends_on of a"
    ]


def test_nine_mutually_dependent_packages_are_one_error() -> None:
    names = [f"p{number}" for number in range(9)]
    text = "".join(package(name, f"depends_on: [{', '.join(set(names) - {name})}]") for name in names)
    (line,) = said(HEAD + text)
    assert "9 packages wait for each other" in line
    assert "p0 -> p1 -> p0" in line


def test_packages_without_steps_are_one_warning() -> None:
    text = HEAD + package("wp-a", "verification: {}") + package("wp-b") + package("wp-c", "verification: {steps: []}")
    assert said(text) == [
        "p.yaml: warning: no verification step proves wp-a, wp-c | "
        "add verification: {steps: [{name: unit, command: pytest -q …}]}"
    ]


def test_fields_that_are_not_acted_on_are_named_in_one_warning() -> None:
    text = HEAD.replace("{id: orders}", "{id: orders, created_by: me, created_at: 2026-01-01}")
    text = text.replace("packages:", "tier: x\nsuperseded_by: other\n"
                        "defaults: {lock_ttl_minutes: 1, min_trust_level: 2}\n"
                        "contracts: {generated: {a: b}, mocks: {}, cdc: {}}\npackages:")  # fmt: skip
    rows = ("agent_hint: h", "metadata: {x: 1}", "context_impact: {}", "min_trust_level: 1",
            "decomposition: branch", "stack_position: 0", "worktree: {name: w, mode: shared}",
            "locks: {reason: r, ttl_minutes: 1}", "outputs: {artifacts: [x]}")  # fmt: skip
    assert said(text + package("wp-a", *rows) + package("wp-b", *rows)) == [
        "p.yaml: warning: read and not acted on: agent_hint, context_impact, contracts.cdc, "
        "contracts.generated, contracts.mocks, created_at, created_by, decomposition, "
        "defaults.lock_ttl_minutes, defaults.min_trust_level, "
        "locks.reason, locks.ttl_minutes, metadata, min_trust_level, outputs.artifacts, stack_position, "
        "superseded_by, tier, worktree.mode, "
        "worktree.name | nothing that is run or checked depends on these fields"
    ]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("{name: a}", "command is missing"),
        ("{name: a, kind: manual}", "manual_instructions is missing"),
        ("{name: a, kind: ci}", "ci is missing"),
        ("{name: a, command: []}", "must not be empty"),
        ("{name: a, command: ' '}", "must not be empty"),
        ("{name: a, command: [x, '']}", "must not be empty"),
        ("{name: a, kind: other, command: x}", "must be command or ci or manual"),
        ("{name: a, run: x}", "unknown key run"),
        ("{name: a, command: x}, {name: a, command: z}", "two steps are called 'a'"),
        ("{name: a, command: x, cwd: /}", "steps[0].cwd"),
        ("{name: a, command: x, cwd: ../b}", "steps[0].cwd"),
        ("{name: a, command: x, cwd: b//c}", "steps[0].cwd"),
        ("{name: a, command: x, evidence: {artifacts: [../b]}}", "artifacts[0]"),
        ("{name: a, command: x, env: {GIT_DIR: x}}", "a step may not set GIT_DIR"),
        ("{name: a, command: x, env: {LD_PRELOAD: x}}", "a step may not set LD_PRELOAD"),
        ("{name: a, command: x, env: {PATH: x}}", "a step may not set PATH"),
        ("{name: a, command: x, env: {HOME: x}}", "a step may not set HOME"),
        ("{name: a, command: x, env: {ENV: x}}", "a step may not set ENV"),
        ("{name: a, command: x, env: {BASH_ENV: x}}", "a step may not set BASH_ENV"),
        ("{name: a, command: x, env: {BASH_FUNC_ls: x}}", "a step may not set BASH_FUNC_ls"),
        ("{name: a, command: x, env: {PARALLEL_IMPL_RUN: x}}", "a step may not set PARALLEL_IMPL_RUN"),
        ("{name: a, command: x, env: {A=B: x}}", "'A=B' is not the name of a variable"),
        ('{name: a, command: x, env: {"A\\n": x}}', "is not the name of a variable"),
        ("{name: a, command: x, env: {PYTHONPATH: 'src:/usr/lib'}}", "PYTHONPATH may only have parts inside"),
        ("{name: a, command: x, env: {PYTHONPATH: src/../..}}", "PYTHONPATH may only have parts inside"),
    ],
)
def test_a_step_that_cannot_be_run_as_written_is_refused(step: str, expected: str) -> None:
    (line,) = said(HEAD + package("wp-a", f"verification: {{steps: [{step}]}}"))
    assert "error" in line
    assert expected in line


def test_secrets_and_ordinary_variables_may_be_set() -> None:
    env = "env: {API_KEY: x, CI: '1', NODE_OPTIONS: --max-old-space-size=4096, PYTHONPATH: '.:src'}"
    plan(HEAD + package("wp-a", f"verification: {{steps: [{{name: a, command: x, {env}}}]}}"))


@pytest.mark.parametrize(
    "field",
    [
        "scope: {write_allow: [/abs/**]}", "scope: {write_allow: [a/../../b]}",
        "scope: {write_allow: [x], deny: [-rf]}",
        "scope: {write_allow: [x], read_allow: [.GIT/x]}", "locks: {files: [/a.py]}", "outputs: {artifacts: [../x]}",
    ],
)  # fmt: skip
def test_a_path_that_leaves_the_repository_is_refused(field: str) -> None:
    (line, *_) = said(HEAD + package("wp-a", field))
    assert "error" in line


def test_contract_paths_stay_inside_too() -> None:
    text = HEAD.replace("packages:", "contracts: {openapi: {primary: /etc/passwd}}\npackages:")
    (line,) = said(text + package("wp-a"))
    assert "contracts.openapi.primary" in line


def test_a_plan_with_nothing_right_is_answered_without_a_traceback() -> None:
    lines = said("version: 1\nfeature: []\npackages: [1, {scope: [], locks: 3, verification: x, depends_on: [[]]}]\n")
    assert lines[0].startswith("p.yaml: error: an older spelling of plans (version for schema_version")
    assert len(lines) > 6


SOUND = (
    HEAD + package("wp-a", "depends_on: [wp-b]", 'locks: {files: [a], keys: ["env:x"]}') + package("wp-b", "role: x")
)
TOKENS = [
    ": ",
    "- ",
    "\n",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "!x ",
    "~",
    "1",
    "yes",
    '"',
    "  ",
    "a",
    "<<",
    "null",
    "\x00",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SOUND)), st.integers(0, 6), st.sampled_from(TOKENS)), max_size=3))
def test_a_mutilated_plan_is_loaded_or_refused(cuts: list[tuple[int, int, str]]) -> None:
    text = SOUND
    for at, length, token in cuts:
        text = text[:at] + token + text[at + length :]
    said(text)


def test_more_packages_than_admitted_are_one_error() -> None:
    (line,) = said(HEAD + "  - {package_id: [], x: 1}\n" * 5001)
    assert line.startswith("p.yaml:3:1: error: must have at most 5,000 entries (packages)")


def test_problems_that_come_too_late_to_help_are_only_counted() -> None:
    lines = said(HEAD + package("wp-a") * 300)
    assert len(lines) == 201
    assert lines[-1] == "p.yaml: error: 99 more problems of this kind are not shown | fix these and validate again"


def test_no_message_grows_with_what_it_is_about() -> None:
    long, key = "x" * 100_000, "k" * 1000  # YAML's own limit for a key on one line
    row = f"locks: {{keys: ['{long}'], files: [/{long}]}}"
    text = HEAD + package("wp-a", f"depends_on: [{long}]", f"{key}: 1", row)
    lines = said(text + package("wp-b").replace("package_id: wp-b", f"package_id: {long}"))
    assert len(lines) >= 4
    assert all(len(line) < 1000 for line in lines)


def test_a_key_with_line_ends_does_not_look_like_lines_of_ours() -> None:
    _, problems = load((HEAD + package("wp-a", '"a\\n\\nb": 1')).encode(), "p.yaml")
    assert str(problems[0]).startswith("p.yaml:8:5: error: unknown key a\\n\\nb (packages[0].a\\n\\nb)\n    ")
