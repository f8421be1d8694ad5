"""What this machine must be able to do for several agents at once; without one of these a run goes on with one job.

Locks that hold in the state folder keep runs apart, and the disk has to take two checkouts for each job and two more.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from parallel_impl.errors import printable
from parallel_impl.git import home as homes
from parallel_impl.run.claims import lock_trial


@dataclass(frozen=True, slots=True)
class Capable:
    """How many jobs there may be, and what is lacking for more, in one line each."""

    jobs: int
    lacking: tuple[str, ...] = ()


def check(state: Path, home: Path, tree_bytes: int, *, jobs: int, shared: bool = False) -> Capable:
    """What can be done of `jobs` at once. UserError where the disk does not even take what one needs.

    `state` is where lock files lie, `home` where checkouts are made, of `tree_bytes` each; `shared`: they have their
    files from one layer, so that none of them needs room.
    """
    found = [lock_trial.problem(state)]
    if jobs > 1 and not shared:
        found.append(homes.shortage(home, tree_bytes, jobs=jobs))
    lacking = tuple(printable(f"{why}: packages are done one at a time") for why in found if why)
    allowed = 1 if lacking else jobs
    if not shared:
        homes.check_space(home, tree_bytes, jobs=allowed)
    return Capable(allowed, lacking if jobs > 1 else ())
