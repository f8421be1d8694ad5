"""Where the user's branches are published: a remote that exists, its address, and the branches that it has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from parallel_impl.errors import UserError
from parallel_impl.git.repo import GitError, Repo
from parallel_impl.storage import expand
from parallel_impl.text import did_you_mean

# The protocols that a push may use: `ext::` and others run a program that the address names.
ALLOWED = {"GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file"}
# ssh and curl must not wait for somebody to type something, nor for a host that does not answer.
SSH = "ssh -o BatchMode=yes -o ConnectTimeout=30"
SETTINGS = (
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
    "push.followTags=false",  # one branch, and nothing beside it
    "push.recurseSubmodules=no",
)


def for_publishing(repo: Repo, branch: str, configured: str = "") -> tuple[str, ...]:
    """The remote that a new branch is pushed to, beside `branch` (without `refs/heads/`; "" when there is none).

    The `configured` one, else as git itself chooses it, then the only one, then `origin`. Several where nothing tells;
    none where there is none.
    """
    settings = dict(repo.config())
    names = {key.split(".", 1)[1].rpartition(".")[0] for key in settings if _is_address(key)}
    if configured in names:
        return (configured,)
    chosen = (f"branch.{branch}.pushremote", "remote.pushdefault", f"branch.{branch}.remote")
    for name in (*(settings.get(key, "") for key in chosen), *(names if len(names) == 1 else ()), "origin"):
        if name in names:
            return (name,)
    return tuple(sorted(names))


def _is_address(key: str) -> bool:
    return key.startswith("remote.") and key.endswith((".url", ".pushurl"))


def without_credentials(text: str) -> str:
    """Text with the user and password taken out of every address in it; a password may hold an `@`."""
    return re.sub(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/]*@", r"\1", text)


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote by its address: what git is told to do with its name would move refs and configuration of the user's.

    `url` may hold a password and is never shown. `environment` is how git reaches it (`environment.for_push`).
    """

    repo: Repo
    name: str
    url: str = field(repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def find(cls, repo: Repo, branch: str, configured: str, environment: Mapping[str, str]) -> Remote:
        """The remote that the user's branches are published on. UserError when there is none, or several."""
        names = for_publishing(repo, branch, configured)
        if configured and names != (configured,):
            hint = did_you_mean(configured, names) or f"remotes: {', '.join(names) or 'none'}"
            raise UserError(f"there is no remote {configured!r}", where="remote", hint=hint)
        if len(names) != 1:
            what = f"several remotes, and nothing tells which: {', '.join(names)}" if names else "there is no remote"
            line = 'write remote = "…" into the configuration' if names else "git remote add origin <url>"
            raise UserError(what, hint=line)
        url = repo.text("remote", "get-url", "--push", names[0])
        if not re.match(r"[^/]*:", url):  # a path: git takes it from the top of the worktree
            url = str(repo.worktrees()[0].path / url)
        return cls(repo, names[0], url, _reaching(repo, environment))

    @property
    def address(self) -> str:
        """The address as it may be shown."""
        return without_credentials(self.url)

    def tip(self, branch: str) -> str:
        """Where a branch is on the remote now; "" when it has none. UserError when it does not answer."""
        found = self._ask("ls-remote", "--refs", "--end-of-options", self.url, f"refs/heads/{branch}")
        return next((line.split("\t")[0] for line in found.split("\n") if line.endswith(f"\trefs/heads/{branch}")), "")

    def default_branch(self) -> str:
        """The branch that the remote's HEAD names; "" where it does not tell."""
        found = self._ask("ls-remote", "--symref", "--end-of-options", self.url, "HEAD")
        named = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", found, re.MULTILINE)
        return named[1] if named else ""

    def fetch(self, branch: str, ref: str) -> str:
        """Fetch a branch to a ref of our own and return its commit: no remote-tracking branch of the user's moves."""
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance")
        self._ask("fetch", *options, "--end-of-options", self.url, f"+refs/heads/{branch}:{ref}")
        return self.repo.ref(ref) or ""

    def push(self, branch: str, commit: str) -> str:
        """Put the branch at `commit` and return where it was ("" when it is new), by compare-and-swap.

        What is there must be contained in `commit`. A remote that has it, or more, is left as it is. UserError names
        what to do where the remote went another way, or refuses.
        """
        old = self.tip(branch)
        if old == commit or (old and self.repo.resolve(old) and self.repo.is_ancestor(commit, old)):
            return old
        if old and not (self.repo.resolve(old) and self.repo.is_ancestor(old, commit)):
            take = f"git fetch {self.name} {branch} && git switch {branch} && git merge FETCH_HEAD"
            raise UserError(
                f"{branch} on {self.name} is {old[:12]}, which {commit[:12]} does not contain",
                where=self.address,
                hint=f"look at it, then take it over: {take}\n    and push that yourself: it was not proven",
            )
        self._move(branch, commit, old)
        return old

    def delete(self, branch: str, expected: str) -> bool:
        """Remove the branch while it is where it is expected; whether it is gone."""
        found = self.tip(branch)
        if found == expected:
            self._move(branch, "", expected)
        return found in ("", expected)

    def _move(self, branch: str, commit: str, expected: str) -> None:
        ref = f"refs/heads/{branch}"
        lease = f"--force-with-lease={ref}:{expected}"
        self._ask("push", "--no-verify", lease, "--end-of-options", self.url, f"{commit}:{ref}")

    def _ask(self, *arguments: str) -> str:
        try:
            out = self.repo.git(*arguments, env={**ALLOWED, **self.environment}, config=SETTINGS)
        except GitError as error:
            why = without_credentials(error.stderr) or f"git {arguments[0]} ended with {error.code}"
            hint = f"what git itself says: git ls-remote {self.name}"
            raise UserError(f"{self.name} refuses: {why}", where=self.address, hint=hint) from None
        return out.decode(errors="replace")


def _reaching(repo: Repo, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables by which git reaches remotes; ssh asks nobody, unless the user chose a program of their own."""
    own = {"GIT_SSH", "GIT_SSH_COMMAND"} & environment.keys() or "core.sshcommand" in dict(repo.config())
    return {**environment, **({} if own else {"GIT_SSH_COMMAND": SSH})}


def pre_push_hook(repo: Repo) -> str:
    """What to report about the user's hook that a push of theirs would run, and ours does not; "" without one."""
    folder = dict(repo.config()).get("core.hookspath", "")
    hook = (repo.worktrees()[0].path / expand(folder) if folder else repo.git_dir / "hooks") / "pre-push"
    try:
        content = hook.read_bytes()
    except OSError:
        return ""
    upload = "; upload the files of git-lfs: git lfs push --all" if b"lfs" in content else ""
    return f"your pre-push hook did not run: {hook}{upload}"
