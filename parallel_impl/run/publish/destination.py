"""Where a change is published: the remote, its forge, and what the configuration says about pull requests.

The configuration is that of HEAD: the base of a landed run is older than the line that somebody adds to try again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from parallel_impl import config, environment
from parallel_impl.config import Config
from parallel_impl.forge import connection
from parallel_impl.forge.address import Address, ForgeKind, recognise
from parallel_impl.forge.body import Written
from parallel_impl.forge.forge import Forge
from parallel_impl.forge.pull_request import OpenedPull, WantedPull
from parallel_impl.forge.pull_request import open_pull_request as _open
from parallel_impl.git.remotes import Remote
from parallel_impl.git.repo import Repo

_PASSWORD = re.compile(r"://(?:[^\s/@:]*:)?([^\s/]+)@")


@dataclass(frozen=True, slots=True)
class Destination:
    """A remote and its forge; `inherited` are the variables that this process was started with."""

    repo: Repo
    config: Config
    remote: Remote
    address: Address
    inherited: Mapping[str, str] = field(repr=False)

    @classmethod
    def find(cls, repo: Repo, folder: Path, inherited: Mapping[str, str], *, fallback: str = "") -> Destination:
        """The destination of the repository that `folder` lies in; `fallback` is a commit for a bare repository's HEAD.

        UserError where the configuration is wrong, or where no remote is to be found.
        """
        settings = read_config(repo, folder, fallback)
        remote = Remote.find(repo, repo.branch(folder), settings.remote, environment.for_push(inherited))
        return cls(repo, settings, remote, recognise(remote.url, settings.forge), inherited)

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What must be in no body: secret variables, the keys of agents, the password of the remote."""
        keys = [agent.key for agent in self.config.agents.values() if agent.key]
        password = _PASSWORD.search(self.remote.url)
        own = {unquote(password[1]), password[1]} if password else set[str]()
        found = (*environment.secret_values(self.inherited, keys), *(one.encode() for one in own if len(one) >= 4))
        return tuple(sorted(found, key=len, reverse=True))

    @property
    def asks(self) -> bool:
        """Whether the forge is one that can be asked."""
        return self.address.kind is not ForgeKind.NONE

    def connect(self) -> Forge:
        """The forge, ready to be asked. UserError where it is none that can be, or does not answer."""
        return connection.connect(self.address, self._target[0], self.inherited)

    def base(self, forge: Forge | None) -> str:
        """The branch that pull requests go to: `pr_base`, else the forge's, else the one of the remote's HEAD."""
        return self._target[1] or (forge.default_base if forge else self.remote.default_branch() or "main")

    def open(self, forge: Forge, wanted: WantedPull) -> OpenedPull:
        """Push the branch of a proposal and open its pull request, or bring it up to date.

        A remark tells where the branch on the remote has more than that: nobody proved it.
        """
        before: list[str] = []
        opened = _open(forge, wanted, lambda: before.append(self.remote.push(wanted.branch, wanted.commit)))
        ahead = next((old for old in before if old != wanted.commit and self._is_ahead(old, wanted.commit)), "")
        if not ahead:
            return opened
        told = f"{wanted.branch} is {ahead[:12]} on {self.remote.name}: more than {wanted.commit[:12]}, not proven"
        return replace(opened, remarks=(*opened.remarks, told))

    def _is_ahead(self, old: str, commit: str) -> bool:
        return bool(old and self.repo.resolve(old)) and self.repo.is_ancestor(commit, old)

    @property
    def _target(self) -> tuple[str, str]:
        """Repository and branch of `pr_base`: `main`, or `owner/name:main` for another repository's."""
        repository, _, branch = self.config.pr_base.rpartition(":")
        return repository, branch


def read_config(repo: Repo, folder: Path, fallback: str = "") -> Config:
    """The configuration that is committed in HEAD, or where there is none in `fallback`."""
    commit = repo.head(folder) or fallback
    if not commit:
        return Config()
    return config.read(repo.read(commit, config.FILE), repo.read(commit, "pyproject.toml"))


def open_pull_request(
    repo: Repo,
    folder: Path,
    inherited: Mapping[str, str],
    *,
    change_id: str,
    run_id: str,
    branch: str,
    commit: str,
    title: str,
    body: str,
    base: str = "",
) -> OpenedPull:
    """Push `commit` as `branch` and open a pull request for it, with the repository's own settings.

    For what is no run: the archive of a change, say. `base` is the branch that it goes to ("": as for a run). Done
    again it opens nothing twice. UserError where there is no forge that can be asked, or where it or the remote
    refuses; the caller prints the line that does it by hand.
    """
    destination = Destination.find(repo, folder, inherited, fallback=commit)
    forge = destination.connect()
    wanted = WantedPull(
        change_id=change_id,
        run_id=run_id,
        branch=branch,
        commit=commit,
        base=base or destination.base(forge),
        title=title,
        write=lambda _room: Written(body),
        labels=destination.config.labels,
        reviewers=destination.config.reviewers,
    )
    return destination.open(forge, wanted)
