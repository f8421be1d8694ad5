"""What a forge can do for a run, as one Protocol: `github` and `gitlab` implement it, each by a library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import msgspec

from parallel_impl.errors import UserError


class ForgeError(UserError):
    """A forge refused, or did not answer. `again`: the same request may succeed later without anybody's doing."""

    def __init__(self, what: str, *, where: str = "", hint: str = "", again: bool = False) -> None:
        super().__init__(what, where=where, hint=hint)
        self.again = again


@contextmanager
def answering(host: str) -> Iterator[None]:
    """That a forge cannot be reached in here, or answers what nobody can read, is a ForgeError that says what to do."""
    import requests  # noqa: PLC0415

    try:
        yield
    except (requests.RequestException, OSError) as error:
        hint = "look at the network, at HTTPS_PROXY, and for a certificate of your own at SSL_CERT_FILE"
        raise ForgeError(f"no answer: {type(error).__name__}: {error}", where=host, hint=hint, again=True) from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # a page of a proxy, say, in place of an answer
        what = f"an answer that cannot be read: {type(error).__name__}: {error}"
        raise ForgeError(what, where=host, hint="look at what is between here and the forge", again=True) from None


class PullState(StrEnum):
    """Where a pull request is."""

    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request as its forge tells it; `head` is the commit that it brings, `merge` the one that its base got."""

    number: int
    url: str
    state: PullState
    body: str
    head: str
    base: str
    draft: bool = False
    merge: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a pull request, whose number is `pull`."""

    pull: int
    id: int
    body: str


class CheckVerdict(StrEnum):
    """What a check said; one that was skipped, or is neutral, blocks no merge and counts as passed."""

    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"


class CheckAnswer(msgspec.Struct, frozen=True):
    """One check of a commit; `said` is the forge's own word, `url` where its log is."""

    name: str
    verdict: CheckVerdict
    said: str = ""
    url: str = ""


class Forge(Protocol):
    """A repository on a forge. Every method raises ForgeError where the forge refuses or does not answer."""

    @property
    def default_base(self) -> str:
        """The branch that pull requests go to."""

    def find(self, branch: str, base: str) -> list[PullRequest]:
        """The pull requests from our branch to this base, the newest first, in any state."""

    def get(self, number: int) -> PullRequest:
        """A pull request as it is now."""

    def open(self, branch: str, base: str, title: str, body: str, *, draft: bool) -> PullRequest | None:
        """Open one. None where there is one already. The draft is an ordinary one where the forge has no drafts."""

    def edit(self, number: int, body: str) -> None:
        """Replace its body."""

    def comments(self, number: int) -> list[Comment]:
        """Its comments, the oldest first."""

    def add_comment(self, number: int, body: str) -> None: ...

    def edit_comment(self, comment: Comment, body: str) -> None: ...

    def remove_comment(self, comment: Comment) -> None: ...

    def add_labels(self, number: int, labels: Sequence[str]) -> None: ...

    def ask_reviewers(self, number: int, reviewers: Sequence[str]) -> None:
        """Ask people, and teams (`owner/team`), for a review."""

    def required_checks(self, base: str) -> tuple[str, ...] | None:
        """The names of the checks without which nothing is merged into `base`; None where that cannot be read."""

    def checks(self, commit: str) -> list[CheckAnswer]:
        """What the checks of a commit say now."""
