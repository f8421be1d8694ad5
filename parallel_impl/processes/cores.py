"""How many cores this process may use: its affinity, and the quota of its control groups (cgroups(7))."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

CORES = "PARALLEL_IMPL_CORES"
# what tools take for the number of workers where nothing else says it; none of them makes a tool use more
UPPER_BOUNDS = (CORES, "PYTEST_XDIST_AUTO_NUM_WORKERS", "CARGO_BUILD_JOBS", "GOMAXPROCS")
CGROUPS = Path("/sys/fs/cgroup")

ReadText = Callable[[Path], str]  # "" for a file that is not there


def count() -> int:
    """The cores that this process may use, at least 1."""
    try:
        able = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        able = os.cpu_count() or 1
    return max(1, min([able, *(int(quota) for quota in quotas(_read(Path("/proc/self/cgroup")), _read))]))


def quotas(own: str, read: ReadText) -> Iterator[float]:
    """The quotas, in cores, of the control groups that `own` (/proc/self/cgroup) names, and of those above them.

    In a container the path may be that of the host; what is not there has no quota.
    """
    for line in own.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for folder in (PurePosixPath(path), *PurePosixPath(path).parents):
            below = str(folder).lstrip("/")
            if not controllers:
                yield from _quota(read(CGROUPS / below / "cpu.max").split())
            elif "cpu" in controllers.split(","):
                parts = (read(CGROUPS / "cpu" / below / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
                yield from _quota([part for part in parts if part])


def environment(cores: int, slots: int, env: Mapping[str, str]) -> dict[str, str]:
    """The share of one of `slots`, in the variables that tools read, without those that `env` sets."""
    share = str(max(1, cores // slots))
    return {name: share for name in UPPER_BOUNDS if name not in env}


def _quota(words: Iterable[str]) -> Iterator[float]:
    match list(words):
        case [quota, period] if quota.isdigit() and period.isdigit() and int(period):
            yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""
