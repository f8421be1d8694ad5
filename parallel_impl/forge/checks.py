"""The checks of a commit on its forge, waited for and judged: what did not answer has not passed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from parallel_impl.errors import first_line
from parallel_impl.forge.forge import CheckAnswer, CheckVerdict, Forge, ForgeError

LONGEST_PAUSE = 15.0  # seconds between two looks
LOOKS = 60  # at least, in a time that is shorter than that many pauses


class ChecksVerdict(StrEnum):
    """What the checks say together."""

    PASSED = "passed"
    FAILED = "failed"
    UNANSWERED = "unanswered"


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """The checks of a commit when the waiting ended, as `checks.json` keeps them.

    `required` are the names that the base branch requires, None where the forge does not tell: then all count.
    `trouble` is why the forge did not answer when it was asked last.
    """

    schema_version: int = 1
    commit: str
    base: str
    verdict: ChecksVerdict
    required: tuple[str, ...] | None = None
    answers: tuple[CheckAnswer, ...] = ()
    waited_seconds: float = 0.0
    trouble: str = ""

    @property
    def lines(self) -> list[str]:
        """For people: each check that counts, then what is missing."""
        known = {answer.name for answer in self.answers}
        counted = [answer for answer in self.answers if not self.required or answer.name in self.required]
        lines = [f"{answer.name}: {answer.verdict} {answer.url}".rstrip() for answer in counted]
        lines += [f"{name}: required, and did not answer" for name in self.required or () if name not in known]
        if not self.required:
            why = "none is required" if self.required is not None else "which are required cannot be read"
            lines.append(f"{why}: all that there are count")
        return lines + ([self.trouble] if self.trouble else [])


def judge(answers: Sequence[CheckAnswer], required: Sequence[str] | None) -> ChecksVerdict:
    """The verdict of the checks that count: the required ones, or without any all that there are."""
    counted = [answer for answer in answers if not required or answer.name in required]
    missing = set(required or ()) - {answer.name for answer in counted}
    if any(answer.verdict is CheckVerdict.FAILED for answer in counted):
        return ChecksVerdict.FAILED
    if not counted or missing or any(answer.verdict is CheckVerdict.PENDING for answer in counted):
        return ChecksVerdict.UNANSWERED
    return ChecksVerdict.PASSED


def wait(
    forge: Forge,
    commit: str,
    base: str,
    *,
    minutes: float,
    pause: Callable[[float], bool],
    clock: Callable[[], float] = time.monotonic,
) -> Checks:
    """Ask until the checks answered, or for so many minutes; ForgeError where asking is of no use.

    Where nothing tells which are required, those that are there have to be the same in two looks: a forge adds jobs as
    others end. `pause` waits for so many seconds and returns whether to stop.
    """
    began, seconds = clock(), minutes * 60
    answers: list[CheckAnswer] = []
    required: tuple[str, ...] | None = None
    before: set[str] | None = None
    while True:
        trouble, verdict = "", ChecksVerdict.UNANSWERED
        try:
            required, answers = forge.required_checks(base), forge.checks(commit)
            verdict = judge(answers, required)
        except ForgeError as error:
            if not error.again:
                raise
            trouble = first_line(str(error))
        names = {answer.name for answer in answers}
        complete = verdict is ChecksVerdict.FAILED or (
            verdict is ChecksVerdict.PASSED and (bool(required) or names == before)
        )
        before, waited = names, clock() - began
        if complete or waited >= seconds or pause(min(LONGEST_PAUSE, seconds / LOOKS)):
            return Checks(
                commit=commit,
                base=base,
                verdict=verdict,
                required=required,
                answers=tuple(answers),
                waited_seconds=round(waited, 3),
                trouble=trouble,
            )
