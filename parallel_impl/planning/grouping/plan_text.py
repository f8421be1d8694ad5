"""The draft as the text of `work-packages.yaml`: for people first, with comments, and always in the same order."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from parallel_impl.plan.reading.scalars import CONTROL_IN_SCALAR
from parallel_impl.planning.grouping.grouped import GroupedPackage, Grouping
from parallel_impl.planning.grouping.verification import ProposedStep
from parallel_impl.planning.reading.evidence import PlannedTask, Table
from parallel_impl.text import shorten

WIDTH = 110  # characters of a comment line
NOTE = 300  # characters of a reason
TITLE = 200
TASK = 240  # characters of a task in a description; tasks.md has the whole
MOST_TASKS = 200  # in a description
FEWEST_MINUTES = 60
MINUTES_A_FILE = 8
MOST_MINUTES = 240

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./ -]*[A-Za-z0-9_/]")
_BOX = re.compile(r"^\s*[-*+]\s*\[[ xX~]\]\s*")
_WORDS = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null)")


@dataclass(frozen=True, slots=True)
class PlanOrigin:
    """What the plan was made from; empty where it is not known."""

    commit: str = ""
    tasks_hash: str = ""


def text(
    table: Table,
    grouping: Grouping,
    steps: Mapping[str, Sequence[ProposedStep]],
    said: Iterable[str],
    origin: PlanOrigin,
) -> str:
    """The whole file. `said` are lines for its head; `steps` those of each package."""
    lines = [*_comments(said), "schema_version: 1", "feature:", f"  id: {scalar(table.change_id)}"]
    if title := one_line(table.title, TITLE):
        lines.append(f"  title: {scalar(title)}")
    if origin.commit:
        lines += [
            "# the plan is stale where what it names has changed since",
            f"plan_base_commit: {quoted(origin.commit)}",
        ]
    if origin.tasks_hash:
        lines.append(f"tasks_hash: {quoted(origin.tasks_hash)}")
    if table.contracts:
        lines += ["contracts:", "  openapi:", "    files:", *(f"      - {scalar(path)}" for path in table.contracts)]
    if grouping.shared_files:
        lines += [
            "# several tasks name these: one package writes each, the others tell it what they need",
            "shared_files:",
        ]
        for shared in grouping.shared_files:
            lines += [
                f"  - path: {scalar(shared.path)}  # {one_line(shared.because, WIDTH)}",
                f"    rule: {shared.rule}",
            ]
            lines.append(f"    package: {shared.package}")
    lines.append("packages:")
    for package in grouping.packages:
        lines += ["", *_package(table, grouping, package, steps.get(package.id, ()))]
    return "\n".join(lines) + "\n"


def scalar(value: str) -> str:
    """A string as a YAML scalar: plain where every reader takes it for text, else in double quotes."""
    value = clean(value)
    return value if _PLAIN.fullmatch(value) and not _WORDS.fullmatch(value) else quoted(value)


def quoted(value: str) -> str:
    """A string in double quotes; JSON's are YAML's too."""
    return json.dumps(clean(value), ensure_ascii=False)


def clean(value: str) -> str:
    """A string without what no plan may hold: control characters and bytes that are no UTF-8."""
    return CONTROL_IN_SCALAR.sub("", value.encode("utf-8", "replace").decode())


def clean_lines(value: str) -> list[str]:
    """A text as the lines of a block, the first of which begins with a letter: its indentation is the block's."""
    return [clean(line) for line in "\n".join(map(clean, value.splitlines())).strip().splitlines()]


def one_line(value: str, limit: int) -> str:
    """A string in one line, shortened."""
    return shorten(" ".join(clean(value).split()), limit)


def minutes(weight: float) -> int:
    """The time limit of an agent, by the work: in half hours, an hour at least."""
    return min(MOST_MINUTES, max(FEWEST_MINUTES, 30 * math.ceil((30 + MINUTES_A_FILE * weight) / 30)))


def _comments(said: Iterable[str]) -> list[str]:
    lines = []
    for text in said:
        row = "#"
        for word in clean(text).split():
            if len(row) + len(word) >= WIDTH and row != "#":
                lines.append(row)
                row = "#  "
            row += f" {word}"
        lines.append(row)
    return lines


def _package(table: Table, grouping: Grouping, package: GroupedPackage, steps: Sequence[ProposedStep]) -> list[str]:
    lines = [f"  - package_id: {package.id}", f"    title: {scalar(one_line(package.title, TITLE) or package.id)}"]
    lines += ["    description: |-", *(f"      {line}".rstrip() for line in _description(table, grouping, package))]
    if package.tasks:
        lines.append(f"    tasks: [{', '.join(quoted(task) for task in package.tasks)}]")
    lines.append(f"    depends_on: [{', '.join(package.depends_on)}]")
    if package.reasons:
        lines.append("    reasons:")
        lines += [f"      {other}: {quoted(one_line('; '.join(why), NOTE))}" for other, why in package.reasons.items()]
    if package.foundation:
        lines.append("    foundation: true  # every other package starts from its work: keep it small")
    lines.append(f"    weight: {package.weight}  # expected changed files, and a little for each task")
    if (limit := minutes(package.weight)) != FEWEST_MINUTES:
        lines.append(f"    timeout_minutes: {limit}")
    if package.may_be_empty:
        lines.append("    may_be_empty: true  # its tasks look at the whole and need not change it")
    lines += _scope(package)
    if package.creates:
        lines += ["    creates:", *(f"      - {scalar(path)}" for path in package.creates)]
    if package.evidence:
        lines.append("    evidence:")
        lines += [f"      {quoted(path)}: {quoted(one_line(why, NOTE))}" for path, why in package.evidence.items()]
    return [*lines, *_steps(steps)]


def _scope(package: GroupedPackage) -> list[str]:
    lines = ["    scope:"]
    if not package.write_allow:
        lines.append("      write_allow: []  # it names no file: fill this in, or give its tasks to another package")
    else:
        lines += ["      write_allow:", *(f"        - {scalar(glob)}" for glob in package.write_allow)]
    if package.deny:
        lines += [
            "      deny:  # inside its folders, but another package's",
            *(f"        - {scalar(one)}" for one in package.deny),
        ]
    return lines


def _steps(steps: Sequence[ProposedStep]) -> list[str]:
    if not steps:
        return []
    lines = ["    verification:", "      steps:"]
    for step in steps:
        lines += [f"        - name: {scalar(step.name)}", f"          command: {quoted(step.command)}"]
        if step.cwd != ".":
            lines.append(f"          cwd: {scalar(step.cwd)}")
    return lines


def _description(table: Table, grouping: Grouping, package: GroupedPackage) -> list[str]:
    """What the agent is told beside the tasks themselves, which it gets from tasks.md."""
    tasks = {task.id: task for task in table.tasks}
    lines = [f"{one_line(package.title, TITLE) or package.id}: the tasks below, as one piece of work."]
    if package.description:
        lines = clean_lines(package.description)
    elif package.integration:
        lines = ["Put the work of all other packages together: what they share, and the tasks below."]
    lines += [_task(tasks[task]) for task in package.tasks[:MOST_TASKS] if task in tasks]
    if len(package.tasks) > MOST_TASKS:
        lines.append(f"- and {len(package.tasks) - MOST_TASKS} more, which tasks.md has")
    if len(package.tasks) > 1 and not package.integration:
        lines.append("What is alike here (names, look, data, errors) is to be done alike.")
    foreign = [shared for shared in grouping.shared_files if shared.package != package.id]
    lines += [
        f"Leave {clean(shared.path)} to {shared.package}." for shared in foreign if _names(table, package, shared.path)
    ]
    return lines


def _names(table: Table, package: GroupedPackage, path: str) -> bool:
    own = set(package.tasks)
    return any(clue.path == path and clue.task in own for clue in table.evidence)


def _task(task: PlannedTask) -> str:
    said = one_line(_first_line(task.text), TASK)
    return f"- {said}" if said.startswith(task.id) else f"- {one_line(task.id, 60)} {said}"


def _first_line(text: str) -> str:
    """The first line of a task without its box and marks."""
    line = next(iter(text.strip().splitlines()), "")
    return _BOX.sub("", line).replace("**", "")
