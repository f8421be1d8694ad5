"""What packages are called: by the heading that most of their tasks stand below, and their folder where it is split."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Sequence

from parallel_impl.plan import kinds
from parallel_impl.plan.names_of_tests import is_test
from parallel_impl.planning.grouping.touches import Touch
from parallel_impl.planning.reading.evidence import ClueKind, Table

FEW = 3  # tasks in a title
LONGEST = 40  # characters of an id

_NAMED = re.compile(r"\bwp-[a-z0-9]+(?:-[a-z0-9]+)*")
_LEAD = re.compile(r"^\s*(?:(?:phase|part|step|section|stage|milestone)\s+[\w.]+|[\d.]+)\s*[-:.—–)]*\s*", re.I)
_ASIDE = re.compile(r"[(\[{`].*?(?:[)\]}`]|$)")


def identifiers(
    table: Table, tasks: Sequence[Sequence[str]], found: Sequence[Touch], *, integration: int = -1
) -> list[tuple[str, str]]:
    """An id and a title for each package, given its tasks; ids differ."""
    if len(tasks) == 1:
        return [(f"wp-{table.change_id[:LONGEST].strip('-')}", table.title or table.change_id)]
    sections = {task.id: task.section for task in table.tasks}
    taken: set[str] = set()
    names: list[tuple[str, str]] = []
    whole = Counter(section for several in tasks for section in {sections[task] for task in several})
    for number, several in enumerate(tasks):
        title, wanted = "Integration", "integration"
        if number != integration:
            section = Counter(sections[task] for task in several).most_common(1)[0][0] if several else -1
            heading = table.sections[section].title if 0 <= section < len(table.sections) else table.title
            part = _folder(several, found) if whole[section] > 1 else ""
            title = _plain(heading) + (f": {part}" if part else "")
            named = _NAMED.search(heading)
            wanted = (named[0].removeprefix("wp-") if named else _slug(_plain(heading))) + (
                f"-{_slug(part)}" if part else ""
            )
        name = _free(f"wp-{wanted[:LONGEST].strip('-') or 'work'}", taken)
        taken.add(name)
        if any(title == other for _, other in names):
            title = f"{title} ({', '.join(several[:FEW])}{', …' if len(several) > FEW else ''})"
        names.append((name, title or "Work"))
    return names


def _plain(heading: str) -> str:
    """A heading without its number and what stands in brackets."""
    return _ASIDE.sub(" ", _LEAD.sub("", heading)).strip(" -:—–") or heading.strip()


def _slug(text: str) -> str:
    words = re.findall(r"[a-z0-9]+", text.lower().encode("ascii", "ignore").decode())
    slug = ""
    for word in words:
        if len(slug) + len(word) > LONGEST - 8:
            break
        slug += f"-{word}" if slug else word
    return slug


def _folder(tasks: Sequence[str], found: Sequence[Touch]) -> str:
    """The last name of the folder that most of the work of the tasks lies in; configuration and hot files are none."""
    work = [touch for touch in found if touch.owner in tasks and (touch.said or not _is_by_the_way(touch))]
    own = [touch.path for touch in work if not kinds.kind_of(touch.path) and not touch.path.startswith(".")]
    sources = [path for path in own if not is_test(path)]
    counted = Counter(posixpath.basename(posixpath.dirname(path.rstrip("/"))) for path in sources or own)
    counted.pop("", None)
    return counted.most_common(1)[0][0] if counted else ""


def _is_by_the_way(touch: Touch) -> bool:
    """Whether a path is there only because it changes often, or configures what is changed."""
    return all(clue.kind in (ClueKind.HOT, ClueKind.ROOT_CONFIG) for clue in touch.clues)


def _free(name: str, taken: set[str]) -> str:
    return next(one for n in range(1, len(taken) + 2) if (one := name if n == 1 else f"{name}-{n}") not in taken)
