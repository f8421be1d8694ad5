"""The second door: an implementation spec with phases and tickets in Markdown, read into a task list.

Tickets stand under headings of phases, as headings of their own (`### Ticket 1.2: Cart`, `#### T-12 Cart`), as numbered
list entries or as bullets with a number. Each becomes a box `N.M` in a `tasks.md` (`as_tasks`), with its own lines
below; phases become its sections. A ticket that names another which does not exist, and whatever has the form of a
phase or a ticket and cannot be read, is a problem with its line: nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from parallel_impl.errors import Problem, UserError

_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_PHASE = re.compile(
    r"[*_]*(?:phase|milestone|stage|wave|sprint|iteration|step)\s+([0-9]+|[a-z]|[ivx]+)\b[*_]*\s*[-:.\u2013\u2014)]*\s*(.*)",
    re.IGNORECASE,
)
# A heading over tickets of a spec that has no phases.
_GROUP = re.compile(
    r"[*_]*(?:implementation\s+)?(tasks|tickets|stories|user stories|work items|backlog)[*_]*:?", re.IGNORECASE
)
_ID = r"(?:[A-Za-z]{1,10}[-_#]?[0-9]+(?:[.-][0-9]+)*[a-z]?|#?[0-9]+(?:\.[0-9]+)+[a-z]?|#[0-9]+)"
_WORDED = re.compile(
    rf"[*_\[]*(?:ticket|task|story|issue|work item|item)\s*[#:]?\s*({_ID}|[0-9]+[a-z]?)\b[*_\]]*"
    r"\s*[-:.\u2013\u2014)]*\s*(.*)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(rf"[*_\[(]*({_ID})[*_\])]*\s*[-:.\u2013\u2014)]*\s+(.*)")
_ENTRY = re.compile(r"(\s*)(?:[0-9]{1,4}[.)]|[-*+])\s+(?:\[[ xX~]\]\s+)?(.*)")
_ORDERED = re.compile(r"\s*([0-9]{1,4})[.)]\s")
_LABEL = re.compile(
    r"\s*(?:[-*+]\s+)?[*_]*(depend(?:s|encies|ency)?(?:[ -]on)?|requires?|block(?:ed|s)?[ -]by|prerequisites?|"
    r"files?(?:[ /]+[\w ]+)?|creates?|modif(?:y|ies)|touches)[*_]*\s*:[*_]*\s*(.*)",
    re.IGNORECASE,
)
_NONE = re.compile(r"[*_`\s]*(?:none|no|nothing|n/?a)\b|[*_`\s]*[-\u2013\u2014]?\s*$", re.IGNORECASE)
_ANY_ID = re.compile(rf"(?<![\w./-])(?:{_ID}|[0-9]+[a-z]?)(?![\w/-])")


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket. `name` as the spec calls it; `number` is its `N.M` in the task list; `requires` are such numbers."""

    name: str
    number: str
    title: str
    line: int
    body: tuple[tuple[int, str], ...] = ()
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SpecPhase:
    """A phase with its tickets; `number` counts from 1 in the order of the text."""

    number: int
    title: str
    line: int
    tickets: tuple[Ticket, ...] = ()


@dataclass(frozen=True, slots=True)
class ImplementationSpec:
    """An implementation spec that was read; `title` is its first heading, `overview` what stands before the phases."""

    title: str
    overview: str
    phases: tuple[SpecPhase, ...]


def read(text: str, *, where: str) -> ImplementationSpec:
    """Read a spec; UserError with every line that has the form of a phase or ticket and cannot be read as one."""
    reader = _SpecReader(text.split("\n"), where)
    reader.read()
    found, unknown = _linked(reader.phases, where)
    problems = [*reader.problems, *unknown]
    if not any(phase.tickets for phase in found):
        problems.append(
            Problem(
                "no tickets found",
                where=where,
                hint="write phases as `## Phase 1: …` and tickets below as `### Ticket 1.1: …` with `Files:` lines",
            )
        )
    if problems:
        raise UserError(problems)
    return ImplementationSpec(reader.title, "\n".join(reader.overview).strip(), tuple(found))


def as_tasks(spec: ImplementationSpec) -> str:
    """The spec as a `tasks.md`: a section for each phase, a box for each ticket with what it says below it."""
    lines = [f"# Tasks: {spec.title}", ""]
    for phase in spec.phases:
        lines += [f"## {phase.number}. {phase.title}", ""]
        for ticket in phase.tickets:
            named = f" ({ticket.name})" if ticket.name != ticket.number else ""
            lines.append(f"- [ ] {ticket.number} {ticket.title}{named}")
            lines += [f"  {_inert(text)}" for _, text in ticket.body if text.strip() and not _is_dependency(text)]
            lines += [f"  **Dependencies**: {', '.join(ticket.requires) or 'None'}", ""]
    return "\n".join(lines)


def _inert(text: str) -> str:
    """A line of a ticket that a task list takes for no box and no heading of its own."""
    text = re.sub(r"^(\s*(?:[-*+]|[0-9]{1,9}[.)])?)\s*\[[^\]\n]{0,4}\](?![(:\[])\s*", r"\1 ", text)
    return re.sub(r"^\s*#+\s*|^(?=\s*[\u2610-\u2612])", "  - ", text)


def _is_dependency(text: str) -> bool:
    match = _LABEL.match(text)
    return bool(match and not match[1].casefold().startswith(("file", "create", "modif", "touch")))


@dataclass
class _OpenTicket:
    """A ticket whose lines are still coming. `level`: of its heading; 0 for an entry of a list, which has a column."""

    name: str
    title: str
    line: int
    level: int
    column: int = 0
    body: list[tuple[int, str]] = field(default_factory=list)


class _Form(StrEnum):
    """How the tickets of a phase stand there; a phase has one form, the first of these that it shows."""

    HEADINGS = "headings"
    NAMED = "entries with a number of their own"
    ORDERED = "entries of a numbered list"


@dataclass
class _OpenPhase:
    title: str
    line: int
    level: int
    form: _Form = _Form.HEADINGS
    tickets: list[_OpenTicket] = field(default_factory=list)


class _SpecReader:
    """One pass over the lines. Tickets are headings in a phase that has such, else entries of its lists."""

    def __init__(self, lines: Sequence[str], where: str) -> None:
        self.lines, self.where = lines, where
        self.title = ""
        self.overview: list[str] = []
        self.phases: list[_OpenPhase] = []
        self.ticket: _OpenTicket | None = None
        self.problems: list[Problem] = []

    def read(self) -> None:
        fence = ""
        for number, line in enumerate(self.lines, 1):
            mark = _FENCE.match(line)
            if fence or mark:
                closes = bool(mark and fence and mark[1].startswith(fence))
                fence = "" if closes else fence or (mark[1] if mark else "")
                self.other(number, line)
            elif heading := _HEADING.match(line):
                self.heading(number, len(heading[1]), heading[2])
            elif not self.entry(number, line):
                self.other(number, line)
        if fence:
            self.problem(len(self.lines), "a code fence is not closed: what follows it cannot be read")

    def heading(self, number: int, level: int, text: str) -> None:
        phase = self.phases[-1] if self.phases else None
        inside = phase is not None and phase.title and level > phase.level
        if match := _PHASE.fullmatch(text):
            title = match[2].strip("* ") or f"Phase {match[1]}"
            self.phases.append(_OpenPhase(title, number, level, self.form(number, level)))
            self.ticket = None
        elif not inside and (group := _GROUP.fullmatch(text)):
            self.phases.append(_OpenPhase(group[1].capitalize(), number, level, self.form(number, level)))
            self.ticket = None
        elif inside and (named := _named(text)):
            self.open(_OpenTicket(*named, number, level))
        elif self.ticket and self.ticket.level and level > self.ticket.level:
            self.ticket.body.append((number, text))
        else:
            self.outside(number, level, text)

    def outside(self, number: int, level: int, text: str) -> None:
        """A heading that is neither phase nor ticket: one as high as a phase ends it."""
        self.ticket = None
        phase = self.phases[-1] if self.phases else None
        if _WORDED.fullmatch(text):
            self.problem(number, f"{text!r} looks like a ticket but stands in no phase")
        if phase and level <= phase.level:
            self.phases.append(_OpenPhase("", number, level))
        elif not phase:
            self.title = self.title or text
            self.overview.append(text)

    def form(self, start: int, level: int) -> _Form:
        """The form of the tickets in the phase whose heading is in this line."""
        shown = set()
        for line in self.lines[start:]:
            if heading := _HEADING.match(line):
                if len(heading[1]) <= level:
                    break
                if _named(heading[2]):
                    return _Form.HEADINGS
            elif _LABEL.match(line):
                shown.add(_Form.ORDERED)  # a numbered list without any such line is prose
            elif (entry := _ENTRY.match(line)) and _named(entry[2]):
                shown.add(_Form.NAMED)
        return _Form.ORDERED if shown == {_Form.ORDERED} else _Form.NAMED

    def entry(self, number: int, line: str) -> bool:
        """Take an entry of a list as a ticket where the tickets of this phase are such."""
        match = _ENTRY.match(line)
        phase = self.phases[-1] if self.phases else None
        if not match or not phase or not phase.title or phase.form is _Form.HEADINGS or _LABEL.match(line):
            return False
        column = len(match[1].expandtabs(4))
        if self.ticket and column > self.ticket.column:
            return False
        named = _named(match[2])
        if phase.form is _Form.ORDERED and (ordered := _ORDERED.match(line)):
            named = (ordered[1], match[2].strip("* "))
        if named is None:
            return False
        self.open(_OpenTicket(*named, number, 0, column))
        return True

    def open(self, ticket: _OpenTicket) -> None:
        if not ticket.title:
            self.problem(ticket.line, f"ticket {ticket.name} has no title")
        self.ticket = ticket
        self.phases[-1].tickets.append(ticket)

    def other(self, number: int, line: str) -> None:
        if self.ticket:
            if self.ticket.level or not line.strip() or line[: self.ticket.column + 1].strip() == "":
                self.ticket.body.append((number, line[self.ticket.column :].rstrip()))
                return
            self.ticket = None
        if not self.phases:
            self.overview.append(line)

    def problem(self, number: int, what: str) -> None:
        self.problems.append(Problem(what, where=f"{self.where}:{number}"))


def _named(text: str) -> tuple[str, str] | None:
    """The name and title of a ticket; None for a text that begins with no number of one."""
    match = _WORDED.fullmatch(text) or _NUMBERED.fullmatch(text)
    return (match[1].lstrip("#"), match[2].strip("* ")) if match else None


def _linked(phases: Iterable[_OpenPhase], where: str) -> tuple[list[SpecPhase], list[Problem]]:
    """The phases, numbered, their tickets' requirements as numbers; and what is wrong with them."""
    found, problems = [], []
    for n, read_phase in enumerate((one for one in phases if one.title), 1):
        own = [
            Ticket(one.name, f"{n}.{m}", one.title, one.line, tuple(one.body))
            for m, one in enumerate(read_phase.tickets, 1)
        ]
        if not own:
            what = f"phase {read_phase.title!r} has no tickets that can be read"
            problems.append(Problem(what, where=f"{where}:{read_phase.line}"))
        found.append(SpecPhase(n, read_phase.title, read_phase.line, tuple(own)))
    names = _Names(found)
    problems += [Problem(f"two tickets are called {name}", where=f"{where}:{line}") for name, line in names.repeated]
    linked: list[SpecPhase] = []
    for phase in found:
        several = []
        for ticket in phase.tickets:
            required, unknown = names.required(ticket, phase)
            problems += [
                Problem(f"ticket {ticket.name} depends on {name}, which is no ticket", where=f"{where}:{line}")
                for name, line in unknown
            ]
            several.append(replace(ticket, requires=tuple(required)))
        linked.append(replace(phase, tickets=tuple(several)))
    return linked, problems


class _Names:
    """What tickets are called: a number of their list counts inside their phase only."""

    def __init__(self, phases: Iterable[SpecPhase]) -> None:
        self.whole: dict[str, str] = {}
        self.inside: dict[tuple[int, str], str] = {}
        self.phases = {str(phase.number): [ticket.number for ticket in phase.tickets] for phase in phases}
        self.repeated: list[tuple[str, int]] = []
        for phase in phases:
            for ticket in phase.tickets:
                key = ticket.name.casefold()
                known = (phase.number, key) in self.inside if key.isdigit() else key in self.whole
                if known:
                    self.repeated.append((ticket.name, ticket.line))
                self.inside[phase.number, key] = ticket.number
                if not key.isdigit():
                    self.whole[key] = ticket.number

    def required(self, ticket: Ticket, phase: SpecPhase) -> tuple[list[str], list[tuple[str, int]]]:
        """The numbers that the dependency lines of a ticket name, and the names that are no ticket, with lines."""
        required: dict[str, None] = {}
        unknown = []
        for line, text in ticket.body:
            match = _LABEL.match(text)
            if not match or not _is_dependency(text) or _NONE.match(match[2]):
                continue
            rest = re.sub(r"\([^)]*\)", " ", match[2])
            for whole in re.finditer(r"\bphase\s+([0-9]+)", rest, re.IGNORECASE):
                required.update(dict.fromkeys(self.phases.get(whole[1], ())))
            names = _ANY_ID.findall(re.sub(r"\bphase\s+[0-9]+", " ", rest, flags=re.IGNORECASE))
            for name in names:
                key = name.casefold().lstrip("#")
                number = self.whole.get(key) or self.inside.get((phase.number, key))
                if number is None:
                    unknown.append((name, line))
                elif number != ticket.number:
                    required[number] = None
            if not names and not required:
                unknown.append((match[2].strip(), line))
        return list(required), unknown
