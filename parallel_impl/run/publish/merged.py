"""Whether the pull request of a run is merged, as its forge says it; then its branch on the remote may go.

Until it is known as merged or closed the run's state has to stay: nothing else tells which branch that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from parallel_impl.errors import UserError, first_line
from parallel_impl.forge.forge import PullRequest, PullState
from parallel_impl.git.repo import Repo
from parallel_impl.record.state import State
from parallel_impl.run.publish.destination import Destination


@dataclass(frozen=True, slots=True)
class MergedBranch:
    """A branch whose pull request is merged, whether by a merge, a squash or a rebase; `head` is what was merged."""

    destination: Destination
    branch: str
    pull: PullRequest

    @property
    def head(self) -> str:
        return self.pull.head

    def find_remote(self) -> str:
        """Where the branch is on the remote now; "" when it is gone. UserError where it does not answer."""
        return self.destination.remote.tip(self.branch)

    def remove_remote(self) -> bool:
        """Remove it there, as long as it is what was merged; whether it is gone."""
        return self.destination.remote.delete(self.branch, self.head)


@dataclass(frozen=True, slots=True)
class PullAnswer:
    """What became of a run's pull request: `merged`, or None, with `trouble` where it could not be asked for.

    `pending` is its address as long as nobody knows it as merged or closed; "" for a run without a pull request.
    """

    merged: MergedBranch | None = None
    trouble: str = ""
    pending: str = ""


def find(repo: Repo, folder: Path, state: State, inherited: Mapping[str, str]) -> PullAnswer:
    """Ask the forge. A run without a pull request of ours asks nobody."""
    opened, landed = state.pull_request or state.merged, state.landed
    if opened is None or landed is None:
        return PullAnswer()
    try:
        destination = Destination.find(repo, folder, inherited, fallback=landed.commit)
        pull = destination.connect().get(opened.number)
    except UserError as error:
        return PullAnswer(trouble=f"{opened.url} could not be asked for: {first_line(str(error))}", pending=opened.url)
    if pull.url != opened.url:
        trouble = f"{opened.url} could not be asked for: it is not on {destination.remote.name}, which has {pull.url}"
        return PullAnswer(trouble=trouble, pending=opened.url)
    if pull.state is not PullState.MERGED:
        return PullAnswer(pending="" if pull.state is PullState.CLOSED else opened.url)
    return PullAnswer(MergedBranch(destination, landed.branch, pull))
