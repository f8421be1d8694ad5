"""`make bench`: what the tool costs, measured on this machine; timings are never test assertions.

Prints one line per figure. Runs of 30 and 200 packages with an agent that does nothing but write three files
are compared with the least git work that such a run can do, where a script for that floor is given
(`FLOOR=path/to/floor.py make bench`): alternating, median of five in the same minutes. `load` compares the default of
`heavy_jobs` with fixed numbers, by wall time and by packages that are refused although their tests are green alone.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

AGENT = 'mkdir -p pkg/$1; for k in 0 1 2; do echo "x = $1 $k" >pkg/$1/f$k.py; done; sleep ${2:-0}\n'
TIMED = """
import sys, time
from parallel_impl.cli import main
from parallel_impl.record.journal import Journal
append, spent, told = Journal.append, [], sys.argv.pop(1)
def timed(self, *events, sync=True):
    began = time.perf_counter()
    append(self, *events, sync=sync)
    spent.append((sync, time.perf_counter() - began))
Journal.append = timed
try:
    main.implement()
finally:
    with open(told, "w") as file:
        print(sum(sync for sync, _ in spent), sum(took for _, took in spent), file=file)
"""
SUITE = """
import os
import time

import pytest


@pytest.mark.parametrize("number", range(6))
def test_work(number):
    spend(0.1)


def test_latency():
    began = time.monotonic()
    spend(0.2)
    assert time.monotonic() - began < float(os.environ["BENCH_SECONDS"]), "starved"


def spend(seconds):
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass
"""
FILES = 100
JOBS = 8
ROUNDS = 5
FLOOR = Path(__file__).resolve().parents[3] / "shared" / "tools" / "floor.py"


def main() -> None:
    """Measure everything, or what is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*MEASURES, []], help="default: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    for name in given.what or MEASURES:
        print(f"{name}:", flush=True)
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            MEASURES[name](Path(folder), given.rounds)


def start_up(_folder: Path, rounds: int) -> None:
    """`parallel-impl --help` against `python -c 'import click'`."""
    ours = median(rounds, lambda: seconds([sys.executable, "-m", "parallel_impl", "--help"]))
    click = median(rounds, lambda: seconds([sys.executable, "-c", "import click"]))
    say(
        "--help", f"{ours * 1000:.0f} ms, {ours / click:.2f} times importing click ({click * 1000:.0f} ms); at most 2.5"
    )


def preflight(folder: Path, rounds: int) -> None:
    """Plan, scopes, locks, contracts and repository of 1,000 and 5,000 parallel packages with five globs each."""
    for packages, at_most in ((1000, "1.5 s"), (5000, "500 MB")):
        repository = make(folder / str(packages), packages, globs=5, steps=False)
        command = [sys.executable, "-m", "parallel_impl", "implement", "bench", "--dry-run"]
        spent = median(rounds if packages == 1000 else 1, lambda: seconds(command, repository))  # noqa: B023
        say(f"{packages} packages", f"{spent:.2f} s, {peak(command, repository)} MB at most; allowed {at_most}")


def idle(folder: Path, _rounds: int) -> None:
    """CPU that the tool itself uses while eight agents sleep."""
    repository = make(folder / "idle", 8)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    short = run(repository, 0.0)
    between = resource.getrusage(resource.RUSAGE_CHILDREN)
    repository = make(folder / "idle-again", 8)
    long = run(repository, 10.0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = [
        late.ru_utime + late.ru_stime - early.ru_utime - early.ru_stime
        for early, late in ((before, between), (between, after))
    ]
    say("idle", f"{max(0.0, used[1] - used[0]) * 1000:.0f} ms of CPU more for {long - short:.1f} s of waiting")


def runs(folder: Path, rounds: int) -> None:
    """Runs with an agent that is over at once, as ratios to the floor."""
    for packages in (30, 200):
        ours, floor = list[float](), list[float]()
        for number in range(rounds):
            ours.append(run(make(folder / f"{packages}-{number}", packages), 0.0))
            floor += floor_seconds(packages)
        spent = statistics.median(ours)
        line = f"{spent:.2f} s, {spent / packages * 1000:.0f} ms a package"
        if floor:
            line += (
                f"; floor {statistics.median(floor):.2f} s, ratio {spent / statistics.median(floor):.2f} (at most 4)"
            )
        say(f"{packages} packages", line)


def agents(folder: Path, rounds: int) -> None:
    """Runs with agents of 0.2 s against max(critical path, work / jobs) and the overhead of a run without."""
    packages, given = 200, 0.2
    bound = given * packages / JOBS
    with_agents = median(rounds, lambda: run(make(unused(folder), packages), given))
    without = median(rounds, lambda: run(make(unused(folder), packages), 0.0))
    allowed = 1.25 * bound + without
    say("200 of 0.2 s", f"{with_agents:.2f} s; bound {bound:.2f} s, overhead {without:.2f} s, allowed {allowed:.2f} s")


def journal(folder: Path, rounds: int) -> None:
    """What the journal costs in a run of 200 packages, and the fold of 100,000 events."""
    from parallel_impl.record import events as e
    from parallel_impl.record.journal import Journal, read
    from parallel_impl.record.state import fold

    repository, told = make(folder / "run", 200), folder / "told"
    agent = "command: sh agent.sh {package_id} 0"
    arguments = [str(told), "bench", "--jobs", str(JOBS), "--agent", agent]
    spent = seconds([sys.executable, "-c", TIMED, *arguments], repository)
    appends, took = told.read_text().split()
    say("200 packages", f"{appends} fsyncs of the journal in {float(took):.2f} s of {spent:.1f} s")

    plan: dict[str, list[str]] = {f"p{number:05d}": [] for number in range(33_333)}
    started = e.RunStarted(
        run_id="r", change_id="c", base="b", base_from="HEAD", plan_blob="p", plan_revision=1, contracts_revision=1,
        packages=plan, home="/h", date=1, agent="a", jobs=8,
    )  # fmt: skip
    happened: list[e.Event] = [started]
    for name in plan:
        happened.append(e.AttemptStarted(package=name, number=1))
        happened.append(e.AttemptEnded(package=name, number=1, commit="c"))
        happened.append(e.PackageAccepted(package=name, number=1, commit="c"))
    written = Journal(folder / "journal.jsonl")
    written.append(*happened)
    written.close()
    total = len(happened)
    happened.clear()

    def read_and_fold() -> float:
        began = time.perf_counter()
        fold(read(written.path))
        return time.perf_counter() - began

    say("fold", f"{total} events in {median(rounds, read_and_fold):.2f} s; at most 1 s")


def load(folder: Path, rounds: int) -> None:
    """Suites with `-n auto` and a timing-sensitive test in 4 and 12 packages, and in two runs at once.

    How sensitive that is depends on what else this machine does: five times what it takes alone, at least a second.
    """
    alone = [spin(0.2) for _ in range(10)]
    os.environ["BENCH_SECONDS"] = str(max(1.0, 5 * max(alone)))
    say("alone", f"0.2 s of CPU take {min(alone):.2f} to {max(alone):.2f} s; red from {os.environ['BENCH_SECONDS']} s")
    cores = len(os.sched_getaffinity(0))
    fixed = sorted({1, max(1, cores // 2), cores, 2 * cores})
    for name, sizes in (("4 packages", [4]), ("12 packages", [12]), ("two runs of 4", [4, 4])):
        walls = dict[int, list[float]]()
        reds = Counter[int]()
        for heavy in [*fixed, 0] * max(1, min(rounds, 2)):  # alternating; 0: the default
            wall, red = run_under_load(unused(folder), sizes, heavy)
            walls.setdefault(heavy, []).append(wall)
            reds[heavy] += red
        median_of = {heavy: statistics.median(found) for heavy, found in walls.items()}
        best = min((median_of[heavy] for heavy in fixed if not reds[heavy]), default=math.nan)
        settings = ", ".join(f"{heavy}: {median_of[heavy]:.1f} s and {reds[heavy]} red" for heavy in fixed)
        told = f"{median_of[0]:.1f} s, {reds[0]} false reds (at most 0), {median_of[0] / best:.2f} of the best fixed"
        say(name, f"{told} (at most 1.1); heavy_jobs {settings}")


def spin(cpu: float) -> float:
    """Seconds that so many seconds of CPU take."""
    began, ends = time.perf_counter(), time.thread_time() + cpu
    while time.thread_time() < ends:
        pass
    return time.perf_counter() - began


def run_under_load(folder: Path, sizes: list[int], heavy: int) -> tuple[float, int]:
    """Seconds of runs at once, of so many packages each, and how many of these were not accepted."""
    repositories = [make_load(folder / str(number), size, heavy) for number, size in enumerate(sizes)]
    command = [
        sys.executable,
        "-m",
        "parallel_impl",
        "implement",
        "bench",
        "--jobs",
        "12",
        "--agent",
        "command: sh agent.sh {package_id}",
    ]
    env = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    began = time.perf_counter()
    runs_at_once = [subprocess.Popen(command, cwd=repository, env=env, **quiet) for repository in repositories]  # type: ignore[call-overload]
    for one in runs_at_once:
        one.wait()
    spent = time.perf_counter() - began
    return spent, sum(map(refused, repositories))


def refused(repository: Path) -> int:
    """How many packages of a run were not accepted, and one more for a whole that was not."""
    summary = json.loads((repository / ".git/parallel-impl/bench/summary.json").read_bytes())
    packages = sum(one["state"] != "accepted" for one in summary["packages"])
    return packages or int(summary["status"] != "landed")


def make_load(folder: Path, packages: int, heavy: int) -> Path:
    """A repository with a suite for each package, and all of them as its gate."""
    repository = make(folder, packages, steps=False)
    plan = repository / "openspec/changes/bench/work-packages.yaml"
    lines = []
    for line in plan.read_text().splitlines():
        lines.append(line)
        if name := line.partition("package_id: ")[2]:
            check = f"python -m pytest -q -n auto -p no:cacheprovider tests/test_{name}.py"
            lines.append(f'    verification: {{steps: [{{name: suite, kind: command, command: "{check}"}}]}}')
            lines.append("    retry_budget: 0")
            suite = repository / f"tests/test_{name}.py"
            suite.parent.mkdir(exist_ok=True)
            suite.write_text(SUITE)
    plan.write_text("\n".join(lines) + "\n")
    settings = f"heavy_jobs = {heavy}\n" if heavy else ""
    gate = 'gates.pytest = "python -m pytest -q -n auto -p no:cacheprovider"\n'
    settings += 'pass_env = ["BENCH_SECONDS"]\n'
    (repository / "parallel-impl.toml").write_text(f"setup = []\n{settings}gates.openspec = false\n{gate}")
    commit(repository)
    return repository


MEASURES: dict[str, Callable[[Path, int], None]] = {
    "start-up": start_up,
    "preflight": preflight,
    "idle": idle,
    "runs": runs,
    "agents": agents,
    "journal": journal,
    "load": load,
}


def make(folder: Path, packages: int, *, globs: int = 1, steps: bool = True) -> Path:
    """A repository of 100 files with a plan of independent packages; gate `true`, no set-up."""
    repository = folder / "repository"
    (repository / "openspec/changes/bench").mkdir(parents=True)
    for number in range(FILES):
        file = repository / f"src/d{number // 20}/f{number:03d}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"line {line} of file {number}\n" for line in range(45)))
    lines = ["schema_version: 1", "feature: {id: bench}", "packages:"]
    for number in range(packages):
        name = f"p{number:04d}"
        scope = ", ".join([f'"pkg/{name}/**"', *(f'"more/{name}/{extra}/*.py"' for extra in range(globs - 1))])
        lines += [
            f"  - package_id: {name}",
            "    description: writes three files",
            f"    scope: {{write_allow: [{scope}]}}",
        ]
        if steps:
            lines.append('    verification: {steps: [{name: unit, kind: command, command: "true"}]}')
    (repository / "openspec/changes/bench/work-packages.yaml").write_text("\n".join(lines) + "\n")
    (repository / "parallel-impl.toml").write_text('setup = []\ngates.openspec = false\ngates.gate = "true"\n')
    (repository / "agent.sh").write_text(AGENT)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=repository, check=True)
    commit(repository)
    return repository


def commit(repository: Path) -> None:
    """Commit all that is in the worktree."""
    for command in (["add", "-A"], ["commit", "-q", "-m", "base"]):
        identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        subprocess.run(["git", *identity, *command], cwd=repository, check=True)


def unused(folder: Path) -> Path:
    """A folder that is not there yet."""
    return Path(tempfile.mkdtemp(dir=folder))


def run(repository: Path, agent_seconds: float) -> float:
    """Seconds of one whole run; the repository is removed afterwards."""
    agent = f"command: sh agent.sh {{package_id}} {agent_seconds}"
    command = [sys.executable, "-m", "parallel_impl", "implement", "bench", "--jobs", str(JOBS), "--agent", agent]
    spent = seconds(command, repository)
    shutil.rmtree(repository.parent)
    return spent


def floor_seconds(packages: int) -> list[float]:
    """Seconds of the least git work for as many packages; empty where no script for it is there."""
    script = Path(os.environ.get("FLOOR", FLOOR))
    if not script.is_file():
        return []
    agent = "mkdir -p pkg/$PKG; for k in 0 1 2; do echo x >pkg/$PKG/f$k.py; done"
    command = [sys.executable, str(script), "--packages", str(packages), "--jobs", str(JOBS), "--agent", agent]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(json.loads(printed)["makespan_s"])]


def seconds(command: list[str], folder: Path | None = None) -> float:
    """Seconds that a command takes; it must end with 0."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    spent = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return spent


def peak(command: list[str], folder: Path) -> int:
    """The largest resident memory of a command and its children, in MB."""
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, capture_output=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    )
    argv = [sys.executable, "-c", script, *command]
    return int(subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True).stdout)


def median(rounds: int, measure: Callable[[], float]) -> float:
    """The median of several measurements."""
    return statistics.median(measure() for _ in range(rounds))


def say(name: str, text: str) -> None:
    """One figure."""
    print(f"  {name}: {text}", flush=True)


if __name__ == "__main__":
    main()
