"""Files that changes of every subject touch, by what their names tell and by how often they were changed."""

from __future__ import annotations

from collections.abc import Mapping

OFTEN = 0.02  # of the commits that were read: such a file is changed by work of every kind
FEWEST_COMMITS = 10


def hot_files(hot: Mapping[str, int], commits: int) -> frozenset[str]:
    """The files that at least two in a hundred of the last `commits` changed, ten of them at least."""
    least = max(FEWEST_COMMITS, commits * OFTEN)
    return frozenset(path for path, count in hot.items() if count >= least)
