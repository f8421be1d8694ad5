"""The screen that a person signs off."""

from __future__ import annotations

from parallel_impl.plan import order
from parallel_impl.plan.check import Finding, FindingKind
from parallel_impl.plan.model import Package, Plan, Scope, SharedFile, SharingRule
from parallel_impl.planning.sign_off import screen


def package(name: str, weight: float, write: str, *above: str) -> Package:
    return Package(name, "does it", Scope((write,)), depends_on=above, weight=weight)


def test_everything_that_a_person_signs_off_is_on_the_screen() -> None:
    packages = (
        package("wp-base", 1, "src/**"),
        package("wp-api", 4.5, "src/api/**", "wp-base"),
        package("wp-web", 3, "web/**", "wp-base"),
        package("wp-end", 1.5, "**", "wp-api", "wp-web"),
    )
    shared = (
        SharedFile("pyproject.toml", SharingRule.INTEGRATION_ONLY),
        SharedFile("web/x", SharingRule.OWNER, "wp-web"),
    )
    plan = Plan("add-x", packages, shared_files=shared)
    findings = [
        Finding(FindingKind.UNOWNED, "files", ("docs/x.md (task 1.2)",)),
        Finding(FindingKind.NO_DECISION, "no design"),
        Finding(FindingKind.EDGE, "dependencies", ("wp-web on wp-base",)),
    ]
    assert screen(plan, order.of(plan), findings, "parallel") == [
        "add-x: 4 packages, 3 waves, up to 2 at once",
        "  wave 1         wp-base (1)",
        "  wave 2         wp-api (4.5), wp-web (3)",
        "  wave 3         wp-end (1.5)",
        "  critical path  weight 7 of 10: wp-base -> wp-api -> wp-end",
        "  speed-up       1.43 times as fast as one agent",
        "  heaviest       wp-api, 45% of the work",
        "  overlaps       src/api/x: wp-api waits for wp-base",
        "  shared files   pyproject.toml: wp-end (integration-only)",
        "                 web/x: wp-web (owner)",
        "  no owner       docs/x.md (task 1.2)",
        "  look at        no design",
        "                 dependencies: wp-web on wp-base",
        "recommended: parallel",
    ]


def test_a_plan_of_hundreds_of_packages_fits_on_one_screen() -> None:
    packages = tuple(package(f"wp-{n}", 1, f"d{n}/**", *((f"wp-{n - 9}",) if n > 8 else ())) for n in range(500))
    plan = Plan(
        "x", packages, shared_files=tuple(SharedFile(f"d{n}/s", SharingRule.OWNER, f"wp-{n}") for n in range(99))
    )
    findings = [Finding(kind, "what", tuple(f"name {n}" for n in range(99))) for kind in FindingKind]
    lines = screen(plan, order.of(plan), findings, "parallel")
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 132


def test_a_wide_wave_has_several_lines_and_no_name_without_its_weight() -> None:
    packages = tuple(package(f"wp-a-rather-long-name-{n}", n + 1, f"d{n}/**") for n in range(30))
    plan = Plan("x", packages)
    rows = screen(plan, order.of(plan), [], "parallel")[1:4]
    assert rows[0].startswith("  wave 1         wp-a-rather-long-name-0 (1), wp-a-rather-long-name-1 (2), ")
    assert rows[1].startswith("                 wp-a-rather-long-name-")
    assert rows[2].endswith(" …")
    assert all(row.rstrip("… ").endswith("),") for row in rows)
