"""A plan from an agent: it gets the evidence table and code's own draft, and answers in the schema of packages.

The agent judges, code checks: its answer goes through the plan's reader and every check of a plan, and back to it with
the errors. Where it stays wrong, or the agent fails, code's draft is the plan, with a warning.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from parallel_impl import schema
from parallel_impl.agents import answer
from parallel_impl.agents.agent import Agent
from parallel_impl.agents.answer import Desk, Question, Reply
from parallel_impl.agents.budget import Budget
from parallel_impl.errors import Problem, Severity, printable
from parallel_impl.gates.project_files import Read
from parallel_impl.plan import conflicts, order, promises
from parallel_impl.plan.globs.globs import match
from parallel_impl.plan.model import Plan
from parallel_impl.plan.reading.load import load
from parallel_impl.planning.grouping import draft as drafts
from parallel_impl.planning.grouping.draft import TINY, WORTH_IT, Assessment, Draft
from parallel_impl.planning.grouping.grouped import GroupedPackage, Grouping, SharedPath, in_order
from parallel_impl.planning.grouping.plan_text import PlanOrigin
from parallel_impl.planning.grouping.verification import ProposedStep
from parallel_impl.planning.reading import material
from parallel_impl.planning.reading.evidence import ClueKind, Resolution, Table

NAME = "packages"
MINUTES = 30.0
BROAD = 0.1  # of the repository's files that one glob may mean, outside of the package that comes last
FEWEST = 10  # files that a glob may mean however small the repository is
SURE = 0.5  # certainty of a path that a task names, from which on somebody must own it
PACKAGE = (
    "package_id", "title", "description", "tasks", "depends_on", "reasons", "scope", "creates", "weight", "foundation",
    "may_be_empty", "evidence", "verification",
)  # fmt: skip
NEEDED = ("package_id", "title", "description", "tasks", "scope", "weight")
STEP = ("name", "command", "cwd")
WHY = {"type": "object", "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 500}}
LEFT_OUT = ("examples", "default", "x-misspellings")  # of the schema: words for other readers

PROMPT = """\
# Group the tasks of the change {change} into work packages

{title}

Each package is done by one engineer alone, in a checkout of its own, at the same time as the others. Packages that \
are not ordered by `depends_on` run side by side and may not write the same file. You see the tasks, what code found \
out about the files they touch, and a draft that code made of it. Make the better plan.

## How to group

1. Cohesion comes before speed. Together stays what must look, behave or be modelled alike: parts of one user journey, \
things that share state, data model, types, styling or a pattern. Five or more similar components: one package. The \
operations on one entity: one package. Forms of one flow: one package. A shared component library: one package.
2. Apart may be what shares no file and no decision: different domains, pages or services, independent modules, layers \
with a contract between them (front end and its back end only where the contract exists or is a task of its own).
3. What several packages need (types, schema, migration, contract) is a package with `foundation: true`, as small as \
possible: only what the others import. Everything else waits for it.
4. The longest path of weights decides how long it takes. Split the heaviest package along a contract; give each \
package its share of the work as `weight` (expected changed files). No package holds more than a third where that can \
be avoided. A single package is a good answer when splitting would cost more than it saves.
5. Tests belong to the package of what they test, documentation to the package that changes what it describes.
6. An edge in `depends_on` needs a reason in `reasons`: what the one uses of the other. Without one, leave it out.
7. Registries, manifests, configuration and changelogs that several packages would touch belong to one package: list \
them in `shared_files` with the rule `owner`, or `integration-only` where a package depends on all others.

## What to decide about files

- `scope.write_allow` names the files that the tasks of the package need: paths, and globs of small folders where new \
files are likely. Take candidates that code derived (test mirror, registry, configuration, changed often) only where a \
task truly needs them. A scope that is too wide keeps others waiting, one that is too narrow makes the attempt fail.
- New files stand in `creates` too.
- A path that a task names and nobody needs to write stands in `left_out` with the reason.
- Give each unresolved name its path in the scope of its package, or leave it in `left_out` with the reason.
- A task that belongs to two sections, or to two packages, goes to the one that owns its files.

Every task id stands in exactly one package. `description` tells the engineer in two to six sentences what to build, \
which decisions bind it, and what others build beside it. `verification.steps` are commands that show that the package \
works alone; leave them out where you do not know one.

## The tasks

{tasks}

## The files, with what names them and how sure that is

{evidence}

## Names that could not be resolved

{unresolved}

## Imports and history

{coupling}

## Documents of the change

{documents}

## Code's draft

{draft}
"""


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """A draft as any other; `warning` says why it is code's own ("": it is the agent's)."""

    draft: Draft
    warning: str = ""
    reply: Reply = field(default_factory=Reply)


@dataclass(frozen=True, slots=True)
class Briefing:
    """What the agent is asked about: the table, code's draft, the documents by name, and how a draft is finished."""

    table: Table
    draft: Draft
    texts: Mapping[str, str]
    read: Read = lambda _: None
    origin: PlanOrigin | None = None
    minutes: float = MINUTES
    budget: Budget = field(default_factory=Budget)


def make(agent: Agent, asked: Briefing, desk: Desk) -> AgentPlan:
    """Ask the agent for the packages; code's draft with a warning where no sound plan comes."""
    question = Question(
        name=NAME,
        prompt=render(asked),
        schema=answer_schema(),
        check=lambda value: list(errors(value, asked)),
        minutes=asked.minutes,
        budget=asked.budget,
    )
    reply = answer.ask(agent, question, desk)
    if reply.code:
        warning = f"the plan is code's own, not that of {agent.record.name}: {reply.failure}; see {reply.files}"
        return AgentPlan(asked.draft, warning, reply)
    return AgentPlan(_finished(reply.value, asked), "", reply)


def render(asked: Briefing) -> str:
    """The prompt; the form of the answer is put behind it by whoever asks."""
    table = asked.table
    return PROMPT.format(
        change=table.change_id,
        title=material.fenced(table.title),
        tasks=material.tasks(table),
        evidence=material.evidence(table),
        unresolved=material.unresolved(table),
        coupling=material.coupling(table),
        documents=material.documents(asked.texts) or "There are none.",
        draft=material.fenced(json.dumps(shown(asked.draft.grouping), indent=1, ensure_ascii=False), "json"),
    )


def shown(used: Grouping) -> dict[str, Any]:
    """A grouping in the form of an answer."""
    shared = [{"path": one.path, "rule": one.rule, "package": one.package} for one in used.shared_files]
    return {"packages": [_shown(package) for package in used.packages], "shared_files": shared}


def _shown(package: GroupedPackage) -> dict[str, Any]:
    deny = {"deny": list(package.deny)} if package.deny else {}
    return {
        "package_id": package.id,
        "title": package.title,
        "tasks": list(package.tasks),
        "depends_on": list(package.depends_on),
        "reasons": {other: "; ".join(why) for other, why in package.reasons.items()},
        "scope": {"write_allow": list(package.write_allow), **deny},
        "creates": list(package.creates),
        "weight": package.weight,
        "foundation": package.foundation,
    }


def answer_schema() -> dict[str, Any]:
    """The schema of packages that a plan has, as far as an agent decides about them, without references."""
    document = schema.document("work-packages")
    defs = document["$defs"]
    package = _chosen(_inlined(defs["package"], defs), PACKAGE, NEEDED)
    step = _chosen(_inlined(defs["step"], defs), STEP, STEP[:2])
    step["properties"]["command"] = {"type": "string", "pattern": r"\S", "maxLength": 2000}
    package["properties"]["tasks"]["items"] = {"type": "string", "minLength": 1, "maxLength": 2000}
    package["properties"]["weight"] = {"type": "number", "exclusiveMinimum": 0, "maximum": 9999}
    package["properties"]["evidence"] = {"description": "Why a path is in the scope.", **WHY}
    package["properties"]["verification"] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"steps": {"type": "array", "maxItems": 20, "items": step}},
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["packages"],
        "properties": {
            "packages": {"type": "array", "minItems": 1, "maxItems": 50, "items": package},
            "shared_files": _inlined(document["properties"]["shared_files"], defs),
            "left_out": {"description": "Named paths that no package writes, each with the reason.", **WHY},
            "notes": {
                "description": "What the person who signs the plan should know.",
                "type": "array",
                "maxItems": 20,
                "items": {"type": "string", "minLength": 1, "maxLength": 500},
            },
        },
    }


def _chosen(whole_schema: Mapping[str, Any], names: Sequence[str], needed: Sequence[str]) -> dict[str, Any]:
    properties = {name: whole_schema["properties"][name] for name in names}
    return {"type": "object", "additionalProperties": False, "required": list(needed), "properties": properties}


def _inlined(node: Any, defs: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(one, defs) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(defs[node["$ref"].rpartition("/")[2]], defs)
    return {name: _inlined(value, defs) for name, value in node.items() if name not in LEFT_OUT}


def errors(value: Mapping[str, Any], asked: Briefing) -> Iterator[str]:
    """All that keeps an answer that fits its schema from being a plan; one line each, for the agent."""
    table = asked.table
    whole = {"schema_version": 1, "feature": {"id": table.change_id}, "packages": value["packages"]}
    plan, problems = load(json.dumps(whole | {"shared_files": value.get("shared_files", [])}).encode(), "the plan")
    found = [one for one in problems if one.severity is Severity.ERROR]
    if plan is not None and not found:
        placed = order.of(plan)
        problems = [*conflicts.problems(plan, placed), *promises.problems(plan, placed)]
        found = [one for one in problems if one.severity is Severity.ERROR]
    told = [*map(_line, found), *_tasks(value, table), *_unreasoned(value)]
    if plan is not None:
        told += [*_unowned(plan, table, value.get("left_out", {})), *_broad(plan, table)]
    if not told:  # what is written of it is held against the same rules again
        told = [_line(one) for one in _finished(value, asked).problems if one.severity is Severity.ERROR]
    yield from told


def _finished(value: Mapping[str, Any], asked: Briefing) -> Draft:
    """The agent's packages as a draft."""
    used = grouping(value)
    estimated = drafts.of(used)
    choice = asked.draft.judged.choice
    told, parallel = "one package, as the agent has it", False
    if estimated and len(used.packages) > 1:
        told = f"{len(used.packages)} packages of the agent, about {estimated.speedup:.1f} times as fast as one agent"
        parallel = estimated.speedup >= WORTH_IT and estimated.total >= TINY
        told += "" if parallel else "; that is not worth several agents"
    judged = Assessment(choice, told, estimated, parallel)
    return drafts.finish(asked.table, used, judged, read=asked.read, origin=asked.origin)


def grouping(value: Mapping[str, Any]) -> Grouping:
    """The packages of a sound answer, dependencies first."""
    packages = [_package(one) for one in value["packages"]]
    last = promises.integrations(order.of(drafts.model(Grouping(tuple(packages)))))
    packages = [replace(one, integration=one.id in last and len(packages) > 1) for one in packages]
    shared = tuple(
        SharedPath(one["path"], one["rule"], one.get("package", "") or "".join(last), "as the agent says")
        for one in value.get("shared_files", ())
    )
    return Grouping(tuple(in_order(packages)), shared, tuple(_notes(value)))


def _package(one: Mapping[str, Any]) -> GroupedPackage:
    reasons = one.get("reasons", {})
    steps = one.get("verification", {}).get("steps", ())
    return GroupedPackage(
        id=one["package_id"],
        title=one["title"],
        tasks=tuple(one["tasks"]),
        write_allow=tuple(one["scope"]["write_allow"]),
        deny=tuple(one["scope"].get("deny", ())),
        creates=tuple(one.get("creates", ())),
        reasons={other: (reasons.get(other, ""),) for other in one.get("depends_on", ())},
        weight=float(one["weight"]),
        foundation=one.get("foundation", False),
        may_be_empty=one.get("may_be_empty", False),
        evidence=one.get("evidence", {}),
        description=one["description"],
        steps=tuple(ProposedStep(step["name"], step["command"], step.get("cwd", ".")) for step in steps),
    )


def _unreasoned(value: Mapping[str, Any]) -> Iterator[str]:
    """Dependencies without a reason."""
    for package in value["packages"]:
        for other in package.get("depends_on", ()):
            if not package.get("reasons", {}).get(other, "").strip():
                yield f"{package['package_id']} depends on {other} without a reason: write it into reasons, or drop it"


def _line(problem: Problem) -> str:
    """A problem without the place in a file that the agent did not write."""
    return str(replace(problem, where="")).removeprefix("error: ").replace("\n    ", ": ")


def _tasks(value: Mapping[str, Any], table: Table) -> Iterator[str]:
    known = {task.id: task for task in table.tasks}
    named = Counter(str(task) for package in value["packages"] for task in package["tasks"])
    for task in named:
        if task not in known:
            yield f"there is no task {task}: name tasks by their ids"
        elif named[task] > 1:
            yield f"task {task} stands in {named[task]} places: it belongs to one package"
    for task in known:
        if not named[task]:
            yield f"task {task} stands in no package"


def _unowned(plan: Plan, table: Table, left_out: Mapping[str, str]) -> Iterator[str]:
    """Paths that a task names and that nobody may write."""
    for clue in table.evidence:
        if clue.kind is not ClueKind.TASK or clue.certainty < SURE or clue.resolution is Resolution.FOLDER:
            continue
        if clue.path not in left_out and all(package.scope.refusal(clue.path) for package in plan.packages):
            yield f"no package may write {clue.path}, which task {clue.task} names: own it, or name it in left_out"


def _broad(plan: Plan, table: Table) -> Iterator[str]:
    """Globs that mean a large part of the repository."""
    last = promises.integrations(order.of(plan))
    most = max(FEWEST, BROAD * len(table.files))
    for package in plan.packages:
        for pattern in package.scope.write_allow:
            if package.id not in last and (count := sum(match(pattern, path) for path in table.files)) > most:
                yield f"{pattern} of {package.id} means {count} of {len(table.files)} files: name those that it needs"


def _notes(value: Mapping[str, Any]) -> Iterator[str]:
    said = [
        *value.get("notes", ()),
        *(f"nobody writes {path}: {why}" for path, why in value.get("left_out", {}).items()),
    ]
    yield from (printable(" ".join(note.split())) for note in said)
