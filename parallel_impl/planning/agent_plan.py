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
from parallel_impl.errors import Problem, Severity
from parallel_impl.plan import conflicts, order, promises
from parallel_impl.plan.globs.globs import match
from parallel_impl.plan.model import Plan
from parallel_impl.plan.reading.load import load
from parallel_impl.planning import material
from parallel_impl.planning.evidence import ClueKind, Resolution, Table

NAME = "packages"
MINUTES = 30.0
BROAD = 0.1  # of the repository's files that one glob may mean, outside of the package that comes last
FEWEST = 10  # files that a glob may mean however small the repository is
SURE = 0.5  # certainty of a path that a task names, from which on somebody must own it
PACKAGE = (
    "package_id", "title", "description", "task_type", "tasks", "depends_on", "reasons", "scope", "creates", "weight",
    "foundation", "evidence", "verification",
)  # fmt: skip
NEEDED = ("package_id", "title", "description", "tasks", "scope", "weight")
STEP = ("name", "command", "cwd")
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
    """The plan as data in the schema of `work-packages.yaml`; `warning` says why it is code's own ("": the agent's)."""

    document: Mapping[str, Any]
    warning: str = ""
    notes: tuple[str, ...] = ()
    reply: Reply = field(default_factory=Reply)


def make(
    agent: Agent,
    table: Table,
    draft: Mapping[str, Any],
    texts: Mapping[str, str],
    desk: Desk,
    *,
    minutes: float = MINUTES,
    budget: Budget | None = None,
) -> AgentPlan:
    """Ask the agent for the packages. `draft` is code's plan, `texts` maps names of documents to their text."""
    question = Question(
        name=NAME,
        prompt=render(table, draft, texts),
        schema=answer_schema(),
        check=lambda value: list(errors(value, table, draft)),
        minutes=minutes,
        budget=budget or Budget(),
    )
    reply = answer.ask(agent, question, desk)
    if reply.code:
        warning = f"the plan is code's own, not that of {agent.record.name}: {reply.failure}; see {reply.files}"
        return AgentPlan(draft, warning, reply=reply)
    return AgentPlan(whole(reply.value, draft), "", tuple(_notes(reply.value)), reply)


def render(table: Table, draft: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """The prompt; the form of the answer is put behind it by whoever asks."""
    shown = {key: draft[key] for key in ("packages", "shared_files") if key in draft}
    return PROMPT.format(
        change=table.change_id,
        title=material.fenced(table.title),
        tasks=material.tasks(table),
        evidence=material.evidence(table),
        unresolved=material.unresolved(table),
        coupling=material.coupling(table),
        documents=material.documents(texts) or "There are none.",
        draft=material.fenced(json.dumps(shown, indent=1, ensure_ascii=False), "json"),
    )


def answer_schema() -> dict[str, Any]:
    """The schema of packages that a plan has, as far as an agent decides about them, without references."""
    document = schema.document("work-packages")
    defs = document["$defs"]
    package = _chosen(_inlined(defs["package"], defs), PACKAGE, NEEDED)
    step = _chosen(_inlined(defs["step"], defs), STEP, STEP[:2])
    package["properties"]["verification"] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"steps": {"type": "array", "maxItems": 20, "items": step}},
    }
    why = {"type": "object", "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 500}}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["packages"],
        "properties": {
            "packages": {"type": "array", "minItems": 1, "maxItems": 50, "items": package},
            "shared_files": _inlined(document["properties"]["shared_files"], defs),
            "left_out": {"description": "Named paths that no package writes, each with the reason.", **why},
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


def whole(value: Mapping[str, Any], draft: Mapping[str, Any]) -> dict[str, Any]:
    """The answer as a plan: what it does not speak of (the change, contracts, defaults) is the draft's."""
    kept = {key: one for key, one in draft.items() if key not in ("packages", "shared_files")}
    found = {key: value[key] for key in ("packages", "shared_files") if value.get(key)}
    return {**kept, **found}


def errors(value: Mapping[str, Any], table: Table, draft: Mapping[str, Any]) -> Iterator[str]:
    """All that keeps an answer that fits its schema from being a plan; one line each, for the agent."""
    plan, problems = load(json.dumps(whole(value, draft)).encode(), "the plan")
    found = [one for one in problems if one.severity is Severity.ERROR]
    if plan is not None and not found:
        placed = order.of(plan)
        found = [*conflicts.problems(plan, placed), *promises.problems(plan, placed)]
        found = [one for one in found if one.severity is Severity.ERROR]
    yield from map(_line, found)
    yield from _tasks(value, table)
    if plan is not None:
        yield from _unowned(plan, table, value.get("left_out", {}))
        yield from _broad(plan, table)


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
    yield from value.get("notes", ())
    for path, why in value.get("left_out", {}).items():
        yield f"nobody writes {path}: {why}"
