"""The body of a pull request, as Markdown: what a reviewer asks first comes first. Pure.

Everything that agents, plans and programs wrote goes through `_Writer`, which masks and escapes it. A body that is
longer than a forge takes goes on in comments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from parallel_impl.errors import count
from parallel_impl.forge import escape
from parallel_impl.forge.content import (
    Content,
    GateEvidence,
    PackageEvidence,
    StepOutcome,
    by_kind,
    draft_reasons,
    risks,
)
from parallel_impl.plan.model import StepKind
from parallel_impl.text import shorten

LIMIT = 65_536  # characters, of a body and of a comment, on GitHub; GitLab takes more
DRAWN = 60  # packages in the picture: with more nobody reads it
FILES = 30  # of a package
ITEMS = 50  # of a list
DID_NOT_RUN = ("not run", "switched off")  # verdicts of gates
LONGEST = 1_000  # characters of one line of an agent's
NOTE = "\n\n_This goes on in {} below._"


@dataclass(frozen=True, slots=True)
class Written:
    """A body of ours without its marks, and the comments that it goes on in."""

    body: str
    comments: tuple[str, ...] = ()


def write(content: Content, secrets: Iterable[bytes], *, room: int = LIMIT) -> Written:
    """The body in at most `room` characters, and the rest in comments of at most LIMIT."""
    writer = _Writer(tuple(secrets))
    return _fit([part for part in writer.sections(content) if part], room)


def title(content: Content, secrets: Iterable[bytes]) -> str:
    """The title of the pull request: that of the change, with its id."""
    words = escape.masked(content.title, tuple(secrets)) or content.change_id
    ours = f" ({content.change_id})" if words != content.change_id else ""
    return escape.title(shorten(words, 200)) + ours


def _fit(sections: Sequence[str], room: int) -> Written:
    whole = "\n\n".join(sections)
    if len(whole) <= room:
        return Written(whole)
    pieces = _pack(sections, first=room - len(NOTE) - 20, more=LIMIT - 200)
    comments = pieces[1:]
    return Written(pieces[0] + NOTE.format(count(len(comments), "comment")), tuple(comments))


def _pack(sections: Iterable[str], *, first: int, more: int) -> list[str]:
    """Sections joined to pieces of at most `first`, then `more` characters; only a longer section is divided."""
    pieces = [""]
    for section in sections:
        for part in _divided(section, more):
            joined = f"{pieces[-1]}\n\n{part}" if pieces[-1] else part
            if len(joined) <= (first if len(pieces) == 1 else more):
                pieces[-1] = joined
            else:
                pieces.append(part)
    return pieces


def _divided(section: str, limit: int) -> Iterator[str]:
    """A section in parts of whole lines; a line is never that long: what agents wrote is cut before."""
    part = ""
    for line in section.split("\n"):
        if part and len(part) + len(line) + 1 > limit:
            yield part
            part = line
        else:
            part = f"{part}\n{line}" if part else line
    yield part


class _Writer:
    """Makes sections; `text` and `code` are the only ways for a foreign word into them."""

    def __init__(self, secrets: tuple[bytes, ...]) -> None:
        self._secrets = secrets

    def text(self, words: str) -> str:
        return escape.inert(shorten(escape.masked(words, self._secrets), LONGEST))

    def code(self, words: str) -> str:
        return escape.code(shorten(escape.masked(words, self._secrets), LONGEST))

    def sections(self, content: Content) -> Iterator[str]:
        """The parts of the body in the order of their weight."""
        yield self.head(content)
        yield _listed("Why this is a draft", map(self.text, draft_reasons(content)))
        yield self.risk(content)
        yield self.changes(content)
        yield self.picture(content)
        yield self.gates(content)
        yield self.tests(content)
        yield self.contracts(content)
        yield self.steps_for("For a person to check", StepKind.MANUAL, content)
        yield self.steps_for("For CI to answer", StepKind.CI, content)
        yield self.not_guarded(content)
        yield _listed("Open tasks", map(self.text, content.open_tasks))
        yield self.usage(content)
        yield from self.packages(content)
        yield _listed("Notes", map(self.text, content.notes))

    def head(self, content: Content) -> str:
        purpose = f"{self.text(content.purpose)}\n\n" if content.purpose else ""
        run = f"run {self.code(content.run_id[:12])}, {content.seconds:.0f} s"
        ids = f"From {self.code(content.base[:12])} to {self.code(content.commit[:12])}"
        return (
            f"{purpose}OpenSpec change {self.code(content.change_id)}: {self.text(content.headline)}.\n\n{ids}; {run}."
        )

    def risk(self, content: Content) -> str:
        found = risks(content)
        rule = "High means: a migration, a public interface or a contract was changed, or a lock of one was claimed."
        return "\n\n".join(
            [f"## Risk: {'high' if found else 'ordinary'}", *filter(None, [_items(map(self.text, found))]), rule]
        )

    def changes(self, content: Content) -> str:
        added, removed = content.lines
        lines = [f"## What changed\n\n{count(len(content.files), 'file')}, +{added} −{removed}\n"]
        for package in content.packages:
            title = f": {self.text(package.title)}" if package.title else ""
            lines.append(f"- {self.code(package.id)}{title} ({_size(package)})")
        return "\n".join(lines)

    def picture(self, content: Content) -> str:
        """The packages and what they depend on; names only, which are ids and hold nothing that Mermaid reads."""
        if not 1 < len(content.packages) <= DRAWN:
            return ""
        names = {package.id: f"p{number}" for number, package in enumerate(content.packages)}
        lines = ["```mermaid", "flowchart LR"]
        for package in content.packages:
            more = f", {package.attempts} attempts" if package.attempts > 1 else ""
            lines.append(f'  {names[package.id]}["{_plain(package.id)}: {_plain(package.state)}{more}"]')
        for package in content.packages:
            lines += [f"  {names[above]} --> {names[package.id]}" for above in package.depends_on if above in names]
        leaves = names.keys() - {above for package in content.packages for above in package.depends_on}
        proven = ", ".join(_plain(gate.name) for gate in content.gates if gate.verdict == "passed") or "no gate"
        lines.append(f'  landed(["landed; {proven}"])')
        lines += [f"  {names[leaf]} --> landed" for leaf in names if leaf in leaves]
        return "\n".join(["## The run", "", *lines, "```"])

    def gates(self, content: Content) -> str:
        if not content.gates:
            return "## Gates\n\nNo gate was found or configured: the whole tree was not proven by any."
        rows = [
            (
                self.text(gate.name),
                self.text(gate.verdict),
                "" if gate.verdict in DID_NOT_RUN else str(gate.old_failures),
                self.text(gate.why),
                self.code(gate.command),
            )
            for gate in content.gates
        ]
        return "## Gates on the whole tree\n\n" + _table(("Gate", "Verdict", "Failed before", "Why", "Command"), rows)

    def tests(self, content: Content) -> str:
        kinds: tuple[tuple[str, Callable[[GateEvidence], tuple[str, ...]]], ...] = (
            ("gone", lambda gate: gate.gone),
            ("renamed", lambda gate: gate.renamed),
            ("flaky", lambda gate: gate.flaky),
        )
        lines = [
            f"{kind}: {self.code(test)} ({self.text(gate.name)})"
            for kind, of in kinds
            for gate in content.gates
            for test in of(gate)
        ]
        return _listed("Tests gone, renamed or flaky", lines)

    def contracts(self, content: Content) -> str:
        if not content.contracts:
            return ""
        rows = [(self.code(path), self.text(status)) for path, status in content.contracts]
        return "## Contracts\n\n" + _table(("Contract", "Compliance"), rows)

    def steps_for(self, title: str, kind: StepKind, content: Content) -> str:
        lines = []
        for package, step in by_kind(content.packages, kind):
            how = f": {self.text(step.instructions)}" if step.instructions else ""
            lines.append(f"{self.code(package)}: {self.text(step.name)}{how}")
        return _listed(title, [f"[ ] {line}" for line in lines])

    def not_guarded(self, content: Content) -> str:
        lines = [
            *(f"switched off: {self.text(what)}" for what in content.switched_off),
            *(f"accepted by name: {self.text(what)}" for what in content.accepted),
            *([self.text(content.fence)] if content.fence == "not fenced" else []),
        ]
        return _listed("Switched off, accepted by name, not fenced", lines)

    def usage(self, content: Content) -> str:
        told = [one for one in content.packages if one.tokens is not None or one.dollars is not None]
        if not told:
            return ""
        rows = [(self.code(one.id), self.text(one.agent), _tokens(one.tokens), _dollars(one.dollars)) for one in told]
        rows.append(("in all", "", _tokens(content.tokens), _dollars(content.dollars)))
        return "## Cost, as far as agents report it\n\n" + _table(("Package", "Agent", "Tokens", "Cost"), rows)

    def packages(self, content: Content) -> Iterator[str]:
        for number, package in enumerate(content.packages):
            head = "## Packages\n\n" if not number else ""
            yield head + self.package(package)

    def package(self, package: PackageEvidence) -> str:
        tier = f", tier {self.text(package.tier)}" if package.tier else ""
        tries = f", {package.attempts} attempts" if package.attempts > 1 else ""
        commit = f", {self.code(package.commit[:12])}" if package.commit else ""
        lines = [f"### {self.text(package.id)}: {self.text(package.state)}{tier}{tries}{commit}"]
        if package.asked:
            lines.append(f"Asked: {self.text(package.asked)}")
        if package.tasks:
            lines.append(f"Tasks: {', '.join(map(self.text, package.tasks))}.")
        if package.depends_on:
            lines.append(f"Depends on {', '.join(map(self.code, package.depends_on))}.")
        if package.steps:
            rows = [(self.text(one.name), _verdict(one), self.text(one.why)) for one in package.steps]
            lines.append(_table(("Step", "Verdict", "Why"), rows))
        lines.append(_items(map(self.code, package.files), most=FILES))
        if package.report:
            lines.append(f"Its agent's word:\n\n{_items(map(self.text, package.report))}")
        return "\n\n".join(line for line in lines if line)


def _plain(word: str) -> str:
    """A word as Mermaid shows it and cannot take for its own."""
    return re.sub(r"[^\w ,.-]", "", word)


def _size(package: PackageEvidence) -> str:
    added, removed = package.lines
    return count(len(package.files), "file") + (f", +{added} −{removed}" if added or removed else "")


def _verdict(step: StepOutcome) -> str:
    if step.kind is not StepKind.COMMAND:
        return "for CI" if step.kind is StepKind.CI else "for a person"
    return "passed" if step.passed else "failed"


def _tokens(number: int | None) -> str:
    return "not reported" if number is None else f"{number:,}"


def _dollars(amount: float | None) -> str:
    return "not reported" if amount is None else f"${amount:.2f}"


def _items(lines: Iterable[str], most: int = ITEMS) -> str:
    found = list(lines)
    more = [f"- and {len(found) - most} more"] if len(found) > most else []
    return "\n".join([*(f"- {line}" for line in found[:most]), *more])


def _listed(title: str, lines: Iterable[str]) -> str:
    items = _items(lines)
    return f"## {title}\n\n{items}" if items else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """A bar in code ends the cell as well."""
    return re.sub(r"(?<!\\)\|", r"\|", text)
