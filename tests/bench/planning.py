"""`make bench-planning CASES=… REPOSITORY=…`: the plans that code drafts, held against what the work really changed.

A case names a commit that a planner may read (code at `repo_commit`, documents at `plan_commit` under `change_path`
without `hide_from_planner`) and the files that the work changed. Cases speak of a public repository and are no part of
this project. Recall counts no glob over a tenth of the repository; the speed-up is the sum of weights over the heaviest
path, where a package's weight is the changed files in its scope and files in no scope count to the last package.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parallel_impl.git.repo import Repo
from parallel_impl.plan import order
from parallel_impl.plan.globs.globs import is_literal, match
from parallel_impl.planning.grouping.draft import Draft, draft
from parallel_impl.planning.grouping.grouped import GroupedPackage
from parallel_impl.planning.reading import documents, snapshot, table
from parallel_impl.planning.reading.evidence import Table

BROAD = 0.1
BUILD = "build/config"


@dataclass(frozen=True, slots=True)
class Row:
    """What one case measured; `speed_up` and `share` are None for a plan of one package."""

    case: str
    high: bool
    names_packages: bool
    recall: float
    scope: float
    overlaps: int
    speed_up: float | None
    share: float | None
    once: bool
    build: tuple[int, int]
    packages: int
    width: int
    seconds: float
    errors: int


def main() -> None:
    """Measure the cases that are named, all by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path)
    parser.add_argument("repository", type=Path)
    parser.add_argument("only", nargs="*", help="ids of cases")
    parser.add_argument("--show", action="store_true", help="print the plans too")
    given = parser.parse_args()
    cases = json.loads(given.cases.read_text())["cases"]
    repo = Repo(given.repository if (given.repository / "HEAD").exists() else given.repository / ".git")
    rows = []
    for case in cases:
        if not given.only or case["id"] in given.only:
            drafted, row = measure(case, repo)
            rows.append(row)
            print(line(row), flush=True)
            if given.show:
                print(drafted.text)
    print()
    summary("all", rows)
    summary("high confidence", [row for row in rows if row.high])
    summary("high, tasks name no packages", [row for row in rows if row.high and not row.names_packages])


def read(case: dict[str, Any], repo: Repo) -> Table:
    """The evidence of a case, from what a planner may see."""
    folder = case["change_path"]
    hidden = tuple(case["hide_from_planner"])
    content = {
        entry.path.removeprefix(f"{folder}/"): entry.oid
        for entry in repo.entries(case["plan_commit"], folder, recurse=True)
        if entry.kind == "blob"
    }
    shown = {
        path: oid
        for path, oid in content.items()
        if path not in hidden and not path.startswith(tuple(f"{one}/" for one in hidden))
    }
    blobs = repo.blobs(shown.values())
    texts = [one for path, oid in sorted(shown.items()) if (one := documents.document(path, blobs[oid]))]
    return table.build(case["id"], texts, snapshot.take(repo, case["repo_commit"]), change_path=folder)


def measure(case: dict[str, Any], repo: Repo) -> tuple[Draft, Row]:
    """Draft a plan for a case and hold it against what was changed."""
    began = time.perf_counter()
    known = read(case, repo)
    drafted = draft(known, read=lambda path: repo.read(case["repo_commit"], path))
    seconds = time.perf_counter() - began
    return drafted, judge(case, known, drafted, seconds)


def judge(case: dict[str, Any], known: Table, drafted: Draft, seconds: float) -> Row:
    """The measures of one drafted plan."""
    packages = drafted.packages
    changed = [one["path"] for one in case["changed_files"]]
    build = [one["path"] for one in case["changed_files"] if one["kind"] == BUILD]
    files = [path for path in known.files if not path.startswith("openspec/")]
    limit = BROAD * len(files)
    narrow = {glob: size for one in packages for glob in one.write_allow if (size := count(glob, files)) <= limit}
    in_scope = {one.id: {path for path in changed if may_write(one, path, narrow)} for one in packages}
    covered = set().union(*in_scope.values())
    missed = len(changed) - len(covered)
    speed_up, share = speed(packages, {name: len(several) for name, several in in_scope.items()}, missed)
    named = sorted(task for one in packages for task in one.tasks)
    return Row(
        case=case["id"],
        high=case["confidence"] == "high",
        names_packages=case["tasks_mention_packages"],
        recall=len(covered) / len(changed),
        scope=sum(any(may_write(one, path, narrow) for one in packages) for path in files) / len(files),
        overlaps=overlaps(packages, in_scope),
        speed_up=speed_up,
        share=share,
        once=named == sorted(task.id for task in known.tasks),
        build=(sum(path not in covered for path in build), len(build)),
        packages=len(packages),
        width=drafted.estimate.width if drafted.estimate else 0,
        seconds=seconds,
        errors=sum(problem.severity == "error" for problem in drafted.problems),
    )


def count(glob: str, files: Sequence[str]) -> int:
    """How many files of the tree a glob means."""
    start = glob.partition("*")[0]
    return 1 if is_literal(glob) else sum(path.startswith(start) and match(glob, path) for path in files)


def may_write(package: GroupedPackage, path: str, narrow: Iterable[str]) -> bool:
    """Whether a package may write a path by a glob that is not broad."""
    return (
        path in package.write_allow
        or any(glob in narrow and match(glob, path) for glob in package.write_allow if not is_literal(glob))
    ) and not any(match(glob, path) for glob in package.deny)


def overlaps(packages: Sequence[GroupedPackage], in_scope: dict[str, set[str]]) -> int:
    """Pairs of packages that nothing orders and that may both write a changed file."""
    known = order.order({one.id: one.depends_on for one in packages})
    names = [one.id for one in packages]
    return sum(
        bool(in_scope[first] & in_scope[second])
        for number, first in enumerate(names)
        for second in names[number + 1 :]
        if not known.reaches(first, second) and not known.reaches(second, first)
    )


def speed(
    packages: Sequence[GroupedPackage], weights: dict[str, int], missed: int
) -> tuple[float | None, float | None]:
    """Sum of weights over the heaviest path, and the largest share; missed files come after everything else."""
    if len(packages) < 2:
        return None, None
    last = next((one.id for one in packages if one.integration), "")
    if last:
        weights[last] += missed
    path = order.critical_path({one.id: one.depends_on for one in packages}, weights)[1] + (0 if last else missed)
    total = sum(weights.values()) + (0 if last else missed)
    return (total / path if path else 1.0), max(weights.values()) / total if total else 1.0


def line(row: Row) -> str:
    """One case in one line."""
    speed_up = f"{row.speed_up:.2f} largest {row.share:.2f}" if row.speed_up and row.share else "one package     "
    return (
        f"{row.case[:42]:43} recall {row.recall:.2f}  scope {row.scope:.1%}  packages {row.packages} "
        f"width {row.width}  speed-up {speed_up}  overlaps {row.overlaps}  build missed {row.build[0]}/{row.build[1]}  "
        f"{row.seconds:.1f} s{'' if row.once else '  TASKS NOT ONCE'}{f'  {row.errors} ERRORS' if row.errors else ''}"
    )


def summary(title: str, rows: Sequence[Row]) -> None:
    """The sum over some cases."""
    if not rows:
        return
    several = [row for row in rows if row.speed_up is not None]
    recalls = [row.recall for row in rows]
    recall, middle = statistics.mean(recalls), statistics.median(recalls)
    missed, build = (sum(row.build[n] for row in rows) for n in (0, 1))
    print(f"{title}: {len(rows)} cases, {len(several)} in several packages")
    print(f"  recall without broad globs   mean {recall:.3f}  median {middle:.3f}")
    print(f"  scope, share of repository   median {statistics.median(row.scope for row in rows):.2%}")
    print(f"  uncovered overlaps           {sum(row.overlaps for row in rows)}")
    if several:
        print(f"  weighted speed-up            mean {statistics.mean(row.speed_up or 0 for row in several):.2f}")
        print(f"  largest share                mean {statistics.mean(row.share or 0 for row in several):.2f}")
    print(f"  every task owned once        {sum(row.once for row in rows) / len(rows):.0%}")
    print(f"  build/config missed          {missed}/{build}")
    print(f"  seconds                      mean {statistics.mean(row.seconds for row in rows):.2f}")


if __name__ == "__main__":
    main()
