"""The bytes of `work-packages.yaml` to a checked `Plan`, or to everything that is wrong with it.

YAML, schema, defaults, ids, lock keys, steps and the graph of `depends_on` are checked. Overlaps and contract files
are checked elsewhere.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from parallel_impl import schema
from parallel_impl.errors import Problem, Severity, UserError
from parallel_impl.plan import ids, order
from parallel_impl.plan.model import Contracts, Package, Plan, SharedFile, SharingRule, YamlPath
from parallel_impl.plan.reading import document, fields, older, packages, shape
from parallel_impl.plan.reading.fields import Reading
from parallel_impl.text import did_you_mean, first_names, nearest, shorten_line

SCHEMA = "work-packages"
FURTHER = ("schemas", "readme")  # keys of contracts that real plans have beside openapi
MAX_COMPARISONS = 20_000  # of misspelt ids with others, 20 µs each
MAX_NAMES = 20
MAX_LISTED = 200  # problems of one severity


def load(content: bytes, source: str) -> tuple[Plan | None, list[Problem]]:
    """The plan in `content`, called `source` in messages; None exactly where one of the problems is an error.

    Problems come in the order of the file, then those of the plan as a whole.
    """
    try:
        parsed = document.parse(content, source)
    except UserError as error:
        return None, list(error.problems)
    with document.uncollected():
        plan, problems = _load(Reading(parsed))
        return (plan, problems) if plan else (None, _about_older(parsed) or problems)


def _about_older(parsed: document.Document) -> list[Problem]:
    """The problems of a plan in an older spelling: that it is one, and what else is wrong; [] for any other plan."""
    change_id = ids.change_of(parsed.source)
    data, said = older.rewritten(parsed.data, change_id)
    if not said:
        return []
    name = change_id if parsed.source.endswith(ids.plan_file(change_id)) else parsed.source
    problem = Problem(
        f"an older spelling of plans ({', '.join(said)})",
        where=parsed.source,
        hint=f"parallel-impl validate {shlex.quote(name)} --fix",
    )
    return [problem, *_load(Reading(replace(parsed, data=data)))[1]]


def _load(reading: Reading) -> tuple[Plan | None, list[Problem]]:
    parsed = reading.document
    for violation in shape.compiled(schema.document(SCHEMA))(parsed.data):
        told = _about_id(parsed.data, violation) or violation
        reading.error(violation.path, told.what, told.hint, key=violation.key)
    plan = _plan(reading)
    problems = [*_first(sorted(reading.problems, key=_place), parsed.source), *_remarks(reading, plan)]
    return None if any(problem.severity is Severity.ERROR for problem in problems) else plan, problems


def _first(problems: list[Problem], source: str) -> list[Problem]:
    """The first of `problems`, and how many more there are."""
    count: Counter[Severity] = Counter()
    found = []
    for problem in problems:
        count[problem.severity] += 1
        if count[problem.severity] <= MAX_LISTED:
            found.append(problem)
    for severity, number in count.items():
        if number > MAX_LISTED:
            what = f"{number - MAX_LISTED:,} more problems of this kind are not shown"
            found.append(Problem(what, source, hint="fix these and validate again", severity=severity))
    return found


def _place(problem: Problem) -> tuple[int, int]:
    _, line, column = problem.where.rsplit(":", 2)
    return int(line), int(column)


def _about_id(data: dict[str, Any], violation: shape.SchemaViolation) -> Problem | None:
    """The problem of an id that the schema refuses, with the nearest one that can be used."""
    if violation.path in (("feature", "id"), ("change_id",)):
        return ids.problem(fields.text(data if len(violation.path) == 1 else data["feature"], str(violation.path[-1])))
    match violation.path:
        case ("packages", int(number), "package_id"):
            return ids.problem(fields.text(data["packages"][number], "package_id"), package=True)
    return None


def _plan(reading: Reading) -> Plan:
    data = reading.document.data
    feature = fields.mapping(data, "feature")
    reading.note(feature, "", ("created_by", "created_at"))
    reading.note(data, "", ("tier", "superseded_by"))
    reading.note(data.get("contracts"), "contracts.", ("generated", "mocks", "cdc"))
    defaults = packages.read_defaults(reading, fields.mapping(data, "defaults"))
    rows: list[tuple[int, Package]] = []
    found = fields.entries(data, "packages")
    for number, raw in enumerate(found if len(found) <= _most_packages() else ()):
        if isinstance(raw, dict):
            rows.append((number, packages.read(reading, raw, ("packages", number), defaults)))
    _check_feature(reading, data, feature)
    _check_graph(reading, rows)
    return Plan(
        feature_id=fields.text(feature, "id"),
        packages=tuple(package for _, package in rows),
        title=fields.text(feature, "title"),
        revision=fields.number(feature, "plan_revision", 1),
        contracts=_contracts(reading, fields.mapping(data, "contracts")),
        shared_files=_shared_files(reading, data, rows),
        base_commit=fields.text(data, "plan_base_commit"),
        tasks_hash=fields.text(data, "tasks_hash"),
        source=reading.document.source,
        position=reading.document.position,
    )


def _most_packages() -> int:
    limit: int = schema.document(SCHEMA)["properties"]["packages"]["maxItems"]
    return limit


def _check_feature(reading: Reading, data: dict[str, Any], feature: dict[str, Any]) -> None:
    feature_id, change_id = fields.text(feature, "id"), fields.text(data, "change_id")
    if feature_id in ids.RESERVED and (wrong := ids.problem(feature_id)):  # the schema reports others
        reading.error(("feature", "id"), wrong.what, wrong.hint)
    if change_id and feature_id and change_id != feature_id:
        reading.error(("change_id",), f"change_id is {change_id!r}, feature.id {feature_id!r}", "delete change_id")


def _contracts(reading: Reading, raw: dict[str, Any]) -> Contracts:
    openapi, path = fields.mapping(raw, "openapi"), ("contracts", "openapi")
    found: dict[str, YamlPath] = {}
    for name in ("files", "primary"):
        found |= {text: place for text, place in _paths(openapi.get(name), (*path, name)) if text not in found}
    for name in [name for name in FURTHER if name in raw]:
        found |= {text: place for text, place in _paths(raw[name], ("contracts", name)) if text not in found}
        what, hint = f"contracts.{name} is read as further contract files", "list them in contracts.openapi.files"
        reading.report(("contracts", name), what, hint, Severity.WARNING)
    for text, place in found.items():
        reading.check_pattern(place, text)
    primary = fields.text(openapi, "primary")
    files = sorted(found, key=lambda text: text != primary or text in fields.texts(openapi, "files"))
    return Contracts(fields.number(raw, "revision", 1), primary, tuple(files), tuple(found[text] for text in files))


def _shared_files(reading: Reading, data: dict[str, Any], rows: list[tuple[int, Package]]) -> tuple[SharedFile, ...]:
    """The files with a rule; each once, and each with a package that exists where its rule needs one."""
    found: list[SharedFile] = []
    known, lines = {package.id for _, package in rows}, dict[str, int]()
    for number, raw in enumerate(fields.entries(data, "shared_files")):
        rule, name = fields.text(raw, "rule"), fields.text(raw, "package")
        path, here = fields.text(raw, "path"), ("shared_files", number)
        if not path or rule not in tuple(SharingRule):  # the schema reports it
            continue
        reading.check_path((*here, "path"), path)
        if path in lines:
            line, _ = reading.document.position.nearest(("shared_files", lines[path]))
            reading.error((*here, "path"), f"{path} has a rule already, in line {line}", "delete one of the two")
        lines.setdefault(path, number)
        if name and name not in known:
            hint = did_you_mean(name, known) or f"delete it, or add a package {_short(name)}"
            reading.error((*here, "package"), f"no package is called {_short(name)}", hint)
        elif not name and rule == SharingRule.OWNER:
            reading.error(here, f"the rule of {path} is owner, and no package is named", "add e.g. package: wp-api")
        found.append(SharedFile(path, SharingRule(rule), name))
    return tuple(found)


def _paths(value: Any, path: YamlPath) -> Iterator[tuple[str, YamlPath]]:
    """Every text in `value`, which may be a list or a mapping, with where it stands."""
    if isinstance(value, str):
        yield value, path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        yield from _paths(inner, (*path, key))


def _check_graph(reading: Reading, rows: list[tuple[int, Package]]) -> None:
    """Report ids that are used twice, dependencies that do not exist, cycles."""
    first: dict[str, int] = {}
    for number, package in rows:
        if package.id and package.id in first:
            what = f"the package_id {package.id} is used a second time"
            line, _ = reading.document.position.nearest(("packages", first[package.id], "package_id"))
            reading.error(("packages", number, "package_id"), what, f"rename this one, or the one in line {line}")
        first.setdefault(package.id, number)
    compared = 0
    for path, names in _dependencies(reading, rows):
        for position, other in enumerate(names):
            if isinstance(other, str) and other not in first:
                compared += len(first)
                near = nearest(other, first) if compared <= MAX_COMPARISONS else ""
                known = near and ids.problem(near, package=True) is None
                hint = f"did you mean {near}?" if known else f"delete it, or add a package {_short(other)}"
                reading.error((*path, position), f"no package is called {_short(other)}", hint)
    depends_on = {package.id: package.depends_on for _, package in reversed(rows) if package.id}
    for cycle in order.cycles(depends_on):
        _report(reading, cycle, first)


def _dependencies(reading: Reading, rows: list[tuple[int, Package]]) -> Iterator[tuple[YamlPath, list[Any]]]:
    """Every `depends_on` of the file, with its path."""
    data = reading.document.data
    yield ("defaults", "depends_on"), fields.entries(fields.mapping(data, "defaults"), "depends_on")
    for number, _ in rows:
        yield ("packages", number, "depends_on"), fields.entries(data["packages"][number], "depends_on")


def _report(reading: Reading, cycle: order.Cycle, number_of: dict[str, int]) -> None:
    here, there = cycle.path[:2]
    own: YamlPath = ("packages", number_of[here], "depends_on")
    entries = fields.entries(reading.document.data["packages"][number_of[here]], "depends_on")
    if there in entries:
        path, hint = (*own, entries.index(there)), f"delete {there} from the depends_on of {here}"
    else:
        path, hint = ("defaults", "depends_on"), f"give {here} a depends_on of its own, without {there}"
    if len(cycle.members) == 1:
        what = f"{here} depends on itself"
    else:
        names = ", ".join(cycle.members[:MAX_NAMES]) + (", …" if len(cycle.members) > MAX_NAMES else "")
        short = cycle.path if len(cycle.path) <= MAX_NAMES else (*cycle.path[: MAX_NAMES - 2], "…", cycle.path[-1])
        chain = " -> ".join(short)
        what = f"{len(cycle.members)} packages wait for each other ({names}): {chain}"
    reading.error(path, what, hint)


def _remarks(reading: Reading, plan: Plan) -> list[Problem]:
    """Warnings about the plan as a whole."""
    found = []
    source = reading.document.source
    if silent := [package.id for package in plan.packages if package.id and not package.steps]:
        what = f"no verification step proves {first_names([*map(_short, silent)], MAX_NAMES)}"
        hint = "add verification: {steps: [{name: unit, command: pytest -q …}]}"
        found.append(Problem(what, source, hint=hint, severity=Severity.WARNING))
    if reading.foreign_keys:
        found.append(_about_foreign_keys(reading))
    if reading.not_acted_on:
        what = f"read and not acted on: {', '.join(sorted(reading.not_acted_on))}"
        found.append(
            Problem(
                what, source, hint="nothing that is run or checked depends on these fields", severity=Severity.WARNING
            )
        )
    return found


def _about_foreign_keys(reading: Reading) -> Problem:
    names = [f"{_short(name)}:" for name in reading.foreign_keys]
    what = f"lock keys that are compared as they are written: {first_names(names, MAX_NAMES)}"
    hint = "two packages that spell the same thing differently do not exclude each other"
    first = next(iter(reading.foreign_keys.values()))
    return reading.document.problem(first, what, hint, severity=Severity.NOTICE)


def _short(text: str) -> str:
    return shorten_line(text, 64)
