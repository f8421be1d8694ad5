"""The plan of a change as one package, made from its documents: the way on for a change that has no plan.

Pure: the documents' bytes in, the text of a `work-packages.yaml` out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from parallel_impl.openspec import tasks
from parallel_impl.plan import ids

PACKAGE = "wp-single"
MINUTES = 240
LONGEST_TITLE = 200
MOST_TASKS, LONGEST_TASK = 2000, 2000  # the schema of plans takes no more
_HEADING = re.compile(r"^#[ \t]+(.+?)[ \t]*#*[ \t]*$", re.M)
_KIND = re.compile(r"(?:change|proposal|openspec)(?:\s+(?:change|proposal))*\s*(?:[:\u2013\u2014-]\s*|$)", re.I)
_TEMPLATE = """\
# Made by `parallel-implement {change} --single`: one package over the whole change.
schema_version: 1
feature:
  id: {id}
  title: {title}
packages:
  - package_id: {package}
    title: {title}
    description: {description}
    timeout_minutes: {minutes}
    tasks: {tasks}
    scope:
      write_allow: ["**"]
      deny: {deny}
"""


def text(change_id: str, *, part: str, configuration: str, proposal: bytes, task_list: bytes) -> bytes:
    """The plan of `change_id`, whose `openspec/` lies in `part`; `configuration` is the path of this tool's file."""
    title = _title(proposal) or change_id
    written = _TEMPLATE.format(
        change=change_id,
        id=_scalar(change_id),
        title=_scalar(title),
        package=PACKAGE,
        description=_scalar(_description(change_id)),
        minutes=MINUTES,
        tasks=_list(_tasks(task_list)),
        deny=_list(denied(change_id, part, configuration)),
    )
    return written.encode()


def denied(change_id: str, part: str, configuration: str) -> Iterator[str]:
    """What the one package may not write: what no package may, what others decide, and what steers this tool.

    Folders without `/**` behind them: so the folder itself may not become a link or a file either.
    """
    yield ids.plan_file(change_id, part)
    for place in dict.fromkeys((part, "")):
        changes = ids.changes(place)
        yield from (f"{changes.rpartition('/')[0]}/specs", f"{changes}/archive")
    yield configuration


def _description(change_id: str) -> str:
    return (
        f"Implement the whole change {change_id}: all its tasks, as proposal, design, spec deltas and contracts say. "
        "There is no other package, so nobody else does a part of it. "
        "[tool.parallel-impl] in pyproject.toml is not yours to change."
    )


def _title(proposal: bytes) -> str:
    """The first heading of a proposal that says what the change is; "" where none does."""
    for heading in _HEADING.findall(proposal.decode("utf-8", "replace")):
        if found := _KIND.sub("", heading, count=1).strip():
            return str(found[:LONGEST_TITLE])
    return ""


def _tasks(task_list: bytes) -> Sequence[str]:
    """The names of all boxes; none where they would not mean all of them: a package that names nothing has all."""
    found = tasks.read(task_list)
    names = list(dict.fromkeys(_clean(task.name) for task in found.tasks))
    if len(names) > MOST_TASKS or any(not name.strip() or len(name) > LONGEST_TASK for name in names):
        return ()
    assigned = tasks.assign(found, {PACKAGE: names})
    return names if len(assigned.tasks[PACKAGE]) == len(found.tasks) and not assigned.unknown else ()


def _list(items: Iterable[str]) -> str:
    return "[" + ", ".join(_scalar(item) for item in items) + "]"


def _scalar(value: str) -> str:
    """A double-quoted scalar of YAML, which JSON's strings are where no control character is in them."""
    return json.dumps(_clean(value), ensure_ascii=False)


def _clean(value: str) -> str:
    return "".join(each if each.isprintable() else " " for each in value)
