"""What a plan promises beside its scopes: whose a shared file is, which files are new, what all others build on. Pure.

An integration package is one that depends on every other, directly or not.
"""

from __future__ import annotations

from collections.abc import Iterator

from parallel_impl.errors import Problem, Severity
from parallel_impl.plan.globs.globs import match, quoted
from parallel_impl.plan.model import Package, Plan, SharedFile, SharingRule, YamlPath, yaml_path
from parallel_impl.plan.order import Order
from parallel_impl.text import first_names


def problems(plan: Plan, order: Order) -> Iterator[Problem]:
    """Report each promise of a valid plan that its packages do not keep."""
    integration = integrations(order)
    for number, shared in enumerate(plan.shared_files):
        yield from _shared(plan, shared, ("shared_files", number), integration)
    for number, package in enumerate(plan.packages):
        yield from _creates(plan, package, number)
    yield from _foundations(plan, order)


def integrations(order: Order) -> tuple[str, ...]:
    """The package that depends on every other, directly or not; empty where none does."""
    last = order.topological[-1:]
    return last if last and order.ancestors[last[0]].bit_count() == len(order.topological) - 1 else ()


def owners(shared: SharedFile, integration: tuple[str, ...]) -> tuple[str, ...]:
    """Who may change a shared file, by its rule; nobody where the rule asks for a package that is not there."""
    return (shared.package,) if shared.package else integration


def _shared(plan: Plan, shared: SharedFile, path: YamlPath, integration: tuple[str, ...]) -> Iterator[Problem]:
    if shared.rule is SharingRule.INTEGRATION_ONLY and (not integration or shared.package not in ("", *integration)):
        name = shared.package
        why = f"{name} does not depend on every other package" if name else "no package depends on every other"
        does = f": {integration[0]} does" if integration else ""
        what = f"the rule of {quoted(shared.path)} is integration-only, and {why}{does}"
        hint = (
            f"write package: {integration[0]}" if integration else "add one that depends on all others, or rule: owner"
        )
        yield _error(plan, path, what, hint)
        return
    own = owners(shared, integration)
    line = _line(plan, path)
    for number, package in enumerate(plan.packages):
        refusal = package.scope.refusal(shared.path)
        if package.id in own and refusal:
            what = f"{quoted(shared.path)} is {package.id}'s, and its scope does not let it write that: {refusal}"
            hint = f"add it to the write_allow of {package.id}, or name another package"
            yield _error(plan, (*path, "package" if shared.package else "path"), what, hint)
        elif package.id not in own and not refusal:
            position, pattern = next(
                (n, text) for n, text in enumerate(package.scope.write_allow) if match(text, shared.path)
            )
            what = f"{package.id} may write {quoted(shared.path)} ({quoted(pattern)}), which is {own[0]}'s{line}"
            place: YamlPath = ("packages", number, "scope", "write_allow", position)
            yield _error(
                plan, place, what, f"write for {package.id}: deny: [{shared.path}], or let {own[0]} have it all"
            )


def _creates(plan: Plan, package: Package, number: int) -> Iterator[Problem]:
    for position, path in enumerate(package.creates):
        if refusal := package.scope.refusal(path):
            what = f"{package.id} is to create {quoted(path)}, and may not write it: {refusal}"
            hint = f"add it to the write_allow of {package.id}, or delete it here"
            yield _error(plan, ("packages", number, "creates", position), what, hint)


def _foundations(plan: Plan, order: Order) -> Iterator[Problem]:
    """Several foundations need not depend on each other."""
    found = {package.id: number for number, package in enumerate(plan.packages) if package.foundation}
    others = [name for name in order.topological if name not in found]
    for name, number in found.items():
        if beside := [other for other in others if not order.reaches(other, name)]:
            yield Problem(
                f"{name} is a foundation, but {first_names(beside, 3)} can start without it",
                where=plan.where("packages", number, "foundation"),
                path=yaml_path(("packages", number, "foundation")),
                hint=f"write {name} into their depends_on, or delete foundation: true",
                severity=Severity.WARNING,
            )


def _error(plan: Plan, path: YamlPath, what: str, hint: str) -> Problem:
    return Problem(what, where=plan.where(*path), path=yaml_path(path), hint=hint)


def _line(plan: Plan, path: YamlPath) -> str:
    place = plan.where(*path).removeprefix(f"{plan.source}:").partition(":")[0]
    return f" (line {place})" if place.isdecimal() else ""
