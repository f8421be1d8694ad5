"""What lies near the files of a plan: tests, registries, manifests, Dockerfiles."""

from __future__ import annotations

from parallel_impl.plan import near
from parallel_impl.plan.model import Package, Plan, Scope
from parallel_impl.plan.paths import Paths

FILES = Paths(
    (
        "Dockerfile", "Makefile", "pyproject.toml", "uv.lock", "README.md", "api/pyproject.toml", "api/src/__init__.py",
        "api/src/routes.py", "api/tests/test_routes.py", "web/src/cart.ts", "web/src/cart.test.ts", "web/src/index.ts",
        "other/tests/test_routes.py", "other/src/__init__.py",
    )
)  # fmt: skip


def plan(*globs: str, creates: tuple[str, ...] = ()) -> Plan:
    return Plan("x", (Package("a", "does it", Scope(globs), creates=creates),))


def test_the_tests_of_each_source_in_scope_are_found_by_name_where_they_belong() -> None:
    assert near.tests(plan("api/src/**", "web/src/cart.ts"), FILES) == {
        "api/src/routes.py": ["api/tests/test_routes.py"],
        "web/src/cart.ts": ["web/src/cart.test.ts"],
    }
    assert near.tests(plan("docs/**"), FILES) == {}


def test_a_glob_over_many_files_says_nothing_about_one() -> None:
    many = Paths([*FILES.paths, *(f"api/src/gen/{n}.py" for n in range(near.NARROW))])
    assert near.tests(plan("api/src/**"), many) == {}


def test_what_is_denied_is_no_file_of_the_package() -> None:
    found = Plan("x", (Package("a", "does it", Scope(("api/src/**",), deny=("api/src/routes.py",))),))
    assert near.own_files(found, FILES) == ("api/src/__init__.py",)


def test_new_files_go_into_the_registry_beside_them_and_the_nearest_manifest_and_container() -> None:
    assert near.at_risk(plan("api/**", creates=("api/src/cart.py",)), FILES) == {
        "api/src/__init__.py": "registry",
        "Dockerfile": "container",
        "api/pyproject.toml": "project configuration",
    }
    assert near.at_risk(plan("web/**", creates=("web/src/list.ts", "web/new/x.ts")), FILES) == {
        "web/src/index.ts": "registry",
        "Dockerfile": "container",
        "Makefile": "project configuration",
        "pyproject.toml": "project configuration",
    }
    assert near.at_risk(plan("api/**"), FILES) == {}
