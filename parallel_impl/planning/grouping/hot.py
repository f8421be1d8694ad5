"""Files that changes of every subject touch, by how often they were changed."""

from __future__ import annotations

from collections.abc import Mapping

SHARE = 0.08  # of the commits of the file that changed most
FEWEST = 10  # commits


def files(hot: Mapping[str, int]) -> frozenset[str]:
    """The files that changed at least a twelfth as often as the one that changed most, in ten commits at least."""
    least = max(FEWEST, max(hot.values(), default=0) * SHARE)
    return frozenset(path for path, count in hot.items() if count >= least)
