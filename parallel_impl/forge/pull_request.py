"""One pull request for one branch: opened, or brought up to date, however often that is tried.

What is there is looked up each time, so a process that was killed between two requests is gone on with by the next
one: nothing is opened twice, and no comment is written twice. Ours is a pull request with the same branch and base
whose body holds our mark; any other is never edited.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from parallel_impl.errors import first_line
from parallel_impl.forge import marker, template
from parallel_impl.forge.body import LIMIT, Written
from parallel_impl.forge.forge import Forge, ForgeError, PullRequest, PullState

MARKS = 300  # characters for both marks
LEAST = 5_000  # characters that are left for us by a template, or it is not used


class Way(StrEnum):
    """What became of a pull request that was wanted."""

    OPENED = "opened"
    UPDATED = "updated"
    UNCHANGED = "up to date"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class WantedPull:
    """A pull request as it is wanted: `commit` is what its branch has, `write` makes the text for so many characters.

    `complete` is the number of the one that labels and reviewers were given before: people may have taken them back.
    """

    change_id: str
    run_id: str
    branch: str
    commit: str
    base: str
    title: str
    write: Callable[[int], Written]
    draft: bool = False
    template: str = ""
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    complete: int = 0


@dataclass(frozen=True, slots=True)
class OpenedPull:
    """The pull request and how it came about; `remarks` are what did not work and stops nobody."""

    pull: PullRequest
    way: Way
    remarks: tuple[str, ...] = ()


def open_pull_request(forge: Forge, wanted: WantedPull, push: Callable[[], object]) -> OpenedPull:
    """Push the branch and open its pull request, or bring an open one up to date; a merged one is only reported.

    ForgeError where another pull request is open for the branch, and where the forge refuses; UserError of `push`.
    """
    found = _known(forge, wanted)
    if merged := next((one for one in found if _is_merged(one, wanted)), None):
        return OpenedPull(merged, Way.MERGED)  # its branch may be gone from the remote, and must not come back
    ours = _ours(found, wanted)
    push()
    if ours is None:
        text, rest = _new(wanted)
        ours = forge.open(wanted.branch, wanted.base, wanted.title, text, draft=wanted.draft)
        if ours is not None:
            return _complete(forge, ours, wanted, rest, Way.OPENED)
        ours = _ours(forge.find(wanted.branch, wanted.base), wanted)  # somebody was faster, or an answer was lost
        if ours is None:
            raise ForgeError(
                f"a pull request of {wanted.branch} exists, but is not found", hint="try again", again=True
            )
    text, rest = _renewed(ours, wanted)
    changed = text != ours.body.replace("\r\n", "\n")
    if changed:
        forge.edit(ours.number, text)
    return _complete(forge, ours, wanted, rest, Way.UPDATED if changed else Way.UNCHANGED)


def _known(forge: Forge, wanted: WantedPull) -> list[PullRequest]:
    """The pull requests of the branch to its base, and the one of before, which people may have given another base."""
    found = forge.find(wanted.branch, wanted.base)
    if not wanted.complete or any(one.number == wanted.complete for one in found):
        return found
    try:
        before = forge.get(wanted.complete)
    except ForgeError as error:
        if error.again:
            raise
        return found  # of a remote that is not the one of before
    return [before, *found] if marker.run_of(before.body, wanted.change_id) else found


def _is_merged(pull: PullRequest, wanted: WantedPull) -> bool:
    same = pull.head == wanted.commit or marker.run_of(pull.body, wanted.change_id) == wanted.run_id
    return pull.state is PullState.MERGED and same


def _ours(found: Sequence[PullRequest], wanted: WantedPull) -> PullRequest | None:
    """The open one; ForgeError where it is somebody else's."""
    pull = next((one for one in found if one.state is PullState.OPEN), None)
    if pull is not None and not marker.run_of(pull.body, wanted.change_id):
        raise ForgeError(
            f"{pull.url} is open for {wanted.branch}, and was not opened for {wanted.change_id} by this tool",
            hint="it is left as it is; close it, or add these two lines to its body and give the command again:\n"
            f"    {marker.begin(wanted.change_id, wanted.run_id)}\n    {marker.END}",
        )
    return pull


def _new(wanted: WantedPull) -> tuple[str, tuple[str, ...]]:
    around = wanted.template if len(wanted.template) + MARKS + LEAST < LIMIT else ""
    written = wanted.write(LIMIT - len(around) - MARKS)
    text = marker.wrapped(written.body, wanted.change_id, wanted.run_id)
    return template.filled(around, text), written.comments


def _renewed(pull: PullRequest, wanted: WantedPull) -> tuple[str, tuple[str, ...]]:
    """The body with our text renewed; what people wrote around it keeps its room."""
    around = len(marker.replaced(pull.body, "", wanted.change_id, wanted.run_id))
    written = wanted.write(max(LIMIT - around - MARKS, LEAST))
    return marker.replaced(pull.body, written.body, wanted.change_id, wanted.run_id), written.comments


def _complete(forge: Forge, pull: PullRequest, wanted: WantedPull, rest: Sequence[str], way: Way) -> OpenedPull:
    """What a pull request has besides its body: the comments that this goes on in, labels, reviewers."""
    _write_comments(forge, pull.number, wanted, rest)
    remarks = []
    if wanted.draft != pull.draft and way is Way.OPENED:
        remarks.append("this forge has no drafts here: the pull request is an ordinary one")
    elif wanted.draft and not pull.draft:
        remarks.append("it would be a draft, but somebody marked it as ready")
    if pull.number != wanted.complete:
        for what, given, give in (
            ("labels", wanted.labels, forge.add_labels),
            ("reviewers", wanted.reviewers, forge.ask_reviewers),
        ):
            try:
                if given:
                    give(pull.number, given)
            except ForgeError as error:
                if error.again:
                    raise
                remarks.append(f"{what} {', '.join(given)}: {first_line(str(error))}")
    return OpenedPull(pull, way, tuple(remarks))


def _write_comments(forge: Forge, number: int, wanted: WantedPull, rest: Sequence[str]) -> None:
    """The parts of a long body from the second on; those of an earlier, longer body are removed."""
    texts = {part: marker.wrapped(text, wanted.change_id, wanted.run_id, part) for part, text in enumerate(rest, 2)}
    for comment in forge.comments(number):
        part = next((one for one in range(2, 100) if marker.run_of(comment.body, wanted.change_id, one)), 0)
        if not part or not comment.body.startswith("<!-- parallel-impl "):
            continue  # a person's
        text = texts.pop(part, None)
        if text is None:
            forge.remove_comment(comment)
        elif text != comment.body.replace("\r\n", "\n"):
            forge.edit_comment(comment, text)
    for part in sorted(texts):
        forge.add_comment(number, texts[part])
