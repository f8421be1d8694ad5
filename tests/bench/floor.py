"""The least git work that a run of independent packages can do, with nothing of ours: what a run is measured against.

Git commands of each package, in this order:

1. `worktree add --no-checkout`, one at a time: git's own list of worktrees is no place for several at once
2. `reset --hard`: the files
3. (the agent)
4. `add --all`, into the worktree's index
5. `write-tree`
6. `commit-tree`
7. `diff-tree`: what the agent changed, which must lie below `pkg/<package>/`
8. `worktree add --no-checkout` and `reset --hard`: the fresh checkout for verification
9. (the step: `sh -c true`)
10. `update-ref`: the work is safe

and of the whole: one `fast-import` that puts all packages together, one checkout, the gate (`sh -c true`), and one
`update-ref` of `openspec/bench`. Folders are removed in this process. There is no check of anything else, no journal,
no log, no fsync and no answer to any failure.

`--repo`, `--packages`, `--jobs` and `--agent` (a line of shell, with PKG) are what `FLOOR=script` gets too. It prints
the tree as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BRANCH = "refs/heads/openspec/bench"
WHO = "bench <bench@localhost> 1700000000 +0000"
QUIET = ("-c", "gc.auto=0", "-c", "core.hooksPath=/dev/null")


class Floor:
    """One repository, and the folder where its worktrees are made."""

    def __init__(self, repository: Path, folder: Path, agent: str) -> None:
        self.repository, self.folder, self.agent = repository, folder, agent
        self.base = self.git("rev-parse", "HEAD")
        self.one_at_a_time = threading.Lock()

    def git(self, *words: str, at: Path | None = None, data: bytes | None = None) -> str:
        command = ["git", *QUIET, *words]
        return subprocess.run(
            command, cwd=at or self.repository, input=data, stdin=None if data else subprocess.DEVNULL,
            stdout=subprocess.PIPE, check=True, close_fds=False,
        ).stdout.decode().strip()  # fmt: skip

    def check_out(self, name: str, commit: str) -> Path:
        worktree = self.folder / name
        with self.one_at_a_time:
            self.git("worktree", "add", "--quiet", "--no-checkout", "--detach", str(worktree), commit)
        self.git("reset", "--quiet", "--hard", at=worktree)
        return worktree

    def remove(self, worktree: Path) -> None:
        registered = (worktree / ".git").read_text().removeprefix("gitdir: ").strip()
        shutil.rmtree(worktree)
        with self.one_at_a_time:
            shutil.rmtree(registered)

    def package(self, name: str) -> tuple[str, list[str]]:
        """One package: its commit, and what it changed as words of `diff-tree`."""
        worktree = self.check_out(name, self.base)
        shell(self.agent, worktree, {"PKG": name})
        self.git("add", "--all", at=worktree)
        tree = self.git("write-tree", at=worktree)
        commit = self.git("commit-tree", tree, "-p", self.base, "-m", name)
        changed = self.git("diff-tree", "-r", "-z", "--raw", "--no-renames", self.base, commit).split("\0")[:-1]
        if not changed or any(not path.startswith(f"pkg/{name}/") for path in changed[1::2]):
            raise SystemExit(f"{name}: out of scope, or nothing: {changed[1::2]}")
        self.remove(worktree)
        verification = self.check_out(f"{name}.verification", commit)
        shell("true", verification)
        self.remove(verification)
        self.git("update-ref", f"refs/floor/{name}", commit)
        return commit, changed

    def land(self, packages: Mapping[str, tuple[str, list[str]]]) -> str:
        """Put all together, look at the whole, move the branch: its tree."""
        script = ["feature done\n"]
        for number, (name, (commit, changed)) in enumerate(packages.items()):
            message = f"merge {name}"
            script.append(f"commit refs/floor/candidate\ncommitter {WHO}\ndata {len(message)}\n{message}\n")
            script.append("" if number else f"from {self.base}\n")
            script.append(f"merge {commit}\n")
            for entry, path in zip(changed[::2], changed[1::2], strict=True):
                _, mode, _, blob, _ = entry.split()
                script.append(f"M {mode} {blob} {path}\n")
        self.git("fast-import", "--quiet", data="".join([*script, "done\n"]).encode())
        candidate = self.git("rev-parse", "refs/floor/candidate")
        whole = self.check_out("whole", candidate)
        shell("true", whole)
        self.remove(whole)
        self.git("update-ref", BRANCH, candidate)
        return self.git("rev-parse", f"{candidate}^{{tree}}")


def shell(line: str, folder: Path, more: Mapping[str, str] | None = None) -> None:
    subprocess.run(["sh", "-c", line], cwd=folder, env=os.environ | dict(more or {}), check=True, close_fds=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True)
    parser.add_argument("--packages", type=int, required=True)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--agent", required=True)
    given = parser.parse_args()
    names = [f"p{number:04d}" for number in range(given.packages)]
    with tempfile.TemporaryDirectory(prefix="floor-", dir=given.repo.parent) as folder:
        floor = Floor(given.repo, Path(folder), given.agent)
        with ThreadPoolExecutor(given.jobs) as pool:
            done = dict(zip(names, pool.map(floor.package, names), strict=True))
        print(json.dumps({"tree": floor.land(done)}))


if __name__ == "__main__":
    main()
