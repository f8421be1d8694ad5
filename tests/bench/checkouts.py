"""One checkout at a time, by the package's own functions: made ready, its work taken, removed; a view against a folder.

CPU time is that of this process, of its children, and of the slot, which mounts views.
"""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from parallel_impl.git.checkout import Checkout, Source
from parallel_impl.git.mounts import Mounts, make_own, one_path, store_of
from parallel_impl.git.repo import Repo
from parallel_impl.git.staging import Staging
from parallel_impl.git.trees import Trees
from parallel_impl.views import trial
from parallel_impl.views.slot import Slot
from parallel_impl.views.view import Means
from tests.bench import table
from tests.bench.alternate import order
from tests.bench.effort import Effort, make_folder, report, report_lines
from tests.bench.scenes import CHANGE, commit, make
from tests.bench.spent import MeasureError, Spent, read_load
from tests.repository import git

CHANGED = 10
EDIT = f"for f in $(find src -name 'f*.py' | sort | head -n {CHANGED}); do echo edited >> $f; done"
VIEW, EACH = "view", "each"
READY, OTHER, TAKEN, REMOVED = "ready", "ready, of another commit", f"work of {CHANGED} files taken", "removed"
# seconds of wall time and of CPU time on a quiet machine, at 1,000 and at 100,000 files
AT_MOST = {
    READY: {1000: (0.05, 0.05), 100_000: (0.3, 0.2)},
    OTHER: {1000: (0.05, 0.05), 100_000: (0.3, 0.2)},
    TAKEN: {1000: (0.02, 0.02), 100_000: (0.02, 0.02)},
    REMOVED: {1000: (0.02, 0.02), 100_000: (0.02, 0.02)},
}
Costs = dict[tuple[str, str], list[Spent]]  # by way and step


@dataclass(frozen=True, slots=True)
class Prepared:
    """A repository, and the sources of its checkouts, by way."""

    repo: Repo
    trees: Trees
    slot: Slot
    sources: dict[str, Source]


def measure_checkouts(folder: Path, effort: Effort) -> None:
    """At 1,000, 20,000 and 100,000 files; a program has been started in a checkout that is ready."""
    for files in (1000,) if effort.quick else (1000, 20_000, 100_000):
        scene = make(make_folder(folder), 1, files=files)
        before = read_load()
        with Slot() as slot:
            base, prepared = git(scene.repository, "rev-parse", "HEAD"), _prepare(scene.repository, slot)
            if VIEW not in prepared.sources:
                report(f"{files} files", "SKIPPED: there are no overlays here")
                return
            costs = _measure(prepared, base, _commits(scene.repository, effort.rounds + 1))
        report_lines([f"{files} files, {effort.rounds} rounds, ms; load {before:.1f} to {read_load():.1f}"])
        report_lines(f"  {line}" for line in table.align(rows(costs, files)))
        subprocess.run(["rm", "-rf", str(scene.repository.parent)], check=True)


def rows(costs: Costs, files: int) -> list[list[str]]:
    """Median and minimum of each step, of a view and of a folder, and what is allowed of a view."""
    found = [["", "view wall", "(min)", "CPU", "(min)", "each wall", "(min)", "CPU", "(min)", "at most wall, CPU", ""]]
    for step, sizes in AT_MOST.items():
        row = [step]
        for way in (VIEW, EACH):
            for what in ("wall", "cpu"):
                values = [getattr(one, what) * 1000 for one in costs[way, step]]
                row += [table.figure(median(values)), table.figure(min(values))]
        allowed = sizes.get(files)
        if allowed:
            took = [median(getattr(one, what) for one in costs[VIEW, step]) for what in ("wall", "cpu")]
            kept = all(one <= most for one, most in zip(took, allowed, strict=True))
            row += [", ".join(f"{one * 1000:.0f}" for one in allowed), "yes" if kept else "NO"]
        found.append(row + [""] * (len(found[0]) - len(row)))
    return found


def _measure(prepared: Prepared, base: str, commits: Sequence[str]) -> Costs:
    """Each way in turn, and in each round another commit; the first round fills what a run reads once."""
    costs, trees = Costs(), defaultdict[str, set[str]](set)
    ways = tuple(prepared.sources)
    for number, way in enumerate(order(ways, len(commits))):
        another = commits[number // len(ways)]
        turn = Turn(prepared, prepared.sources[way], f"p{number}")
        trees[base].add(turn.work(base))
        trees[another].add(turn.open_only(another))
        for step, spent in turn.spent.items() if number >= len(ways) else ():
            costs.setdefault((way, step), []).append(spent)
    if wrong := [name for name, found in trees.items() if len(found) > 1]:
        raise MeasureError(f"a view and a folder have other files at {wrong[0][:12]}")
    return costs


@dataclass(slots=True)
class Turn:
    """One checkout from its beginning to its end, and what each step cost."""

    prepared: Prepared
    source: Source
    name: str
    spent: dict[str, Spent] = field(default_factory=dict)

    def work(self, commit: str) -> str:
        """Make it ready, work in it, take that, remove it: the tree of the work."""
        trees = self.prepared.trees
        with self._measured(READY):
            checkout = self.source.open(self.name, commit)
            staging = Staging(trees, checkout, base=commit)
            before = staging.before(set_up=False)
            _run(checkout, "true")
        _run(checkout, EDIT)
        with self._measured(TAKEN):
            tree = staging.after(before).tree
        with self._measured(REMOVED):
            checkout.remove()
        return tree

    def open_only(self, commit: str) -> str:
        """Make one ready whose files differ from those that set-up has seen: what its files are, as a digest."""
        with self._measured(OTHER):
            checkout = self.source.open(f"{self.name}.other", commit)
            _run(checkout, "true")
        found = _run(
            checkout, "find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 cat | git hash-object --stdin"
        )
        checkout.remove()
        return found

    @contextmanager
    def _measured(self, step: str) -> Iterator[None]:
        cpu, wall = _cpu(self.prepared.slot), time.perf_counter()
        yield
        self.spent[step] = Spent(time.perf_counter() - wall, _cpu(self.prepared.slot) - cpu)


def _cpu(slot: Slot) -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    of_slot = time.clock_gettime((~slot.pid << 3) | 2) if slot.pid else 0.0  # as clock_getcpuclockid(3) makes it
    return sum(one.ru_utime + one.ru_stime for one in used) + of_slot


def _run(checkout: Checkout, script: str) -> str:
    """Run a shell script in a checkout, as an agent: what it printed."""
    argv = ["sh", "-ec", script]
    if view := checkout.view:
        code, out, err = view.call(argv, env=os.environ, cwd=checkout.path)
    else:
        done = subprocess.run(argv, cwd=checkout.path, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        code, out, err = done.returncode, done.stdout, done.stderr
    if code:
        raise MeasureError(f"{script}: exit {code}: {err.decode(errors='replace')}")
    return out.decode()


def _prepare(repository: Path, slot: Slot) -> Prepared:
    """What a run has at hand; with a view only where there are overlays. Its set-up has done nothing."""
    repo = Repo.discover(repository)
    base = git(repository, "rev-parse", "HEAD")
    state, home = repo.git_dir / "parallel-impl" / CHANGE, repository.parent / "repository.worktrees" / CHANGE
    trees = Trees(repo, state / "trees")
    source = Source.prepare(repo, base, home, indexes=state / "indexes", repository_name=repository.name)
    prepared = Prepared(repo, trees, slot, {EACH: source})
    store = store_of(home)
    make_own(store)
    ability = trial.find(store)
    if ability.means is Means.OVERLAY:
        mounts = Mounts(repo, trees, slot, ability, home, one_path(home, repository.name), "k" * 24)
        mounts.begin()
        prepared.sources[VIEW] = replace(source, mounts=mounts)
        first = prepared.sources[VIEW].open("base", base)
        first.settle(seconds=0.0, inputs={})
        first.remove()
    return prepared


def _commits(repository: Path, count: int) -> list[str]:
    """So many commits after each other, each with changes in ten files."""
    found = []
    for number in range(count):
        for file in sorted(repository.rglob("src/**/f*.py"))[number :: count * 10][:CHANGED]:
            file.write_text(f"{number}\n")
        commit(repository)
        found.append(git(repository, "rev-parse", "HEAD"))
    return found
