"""Files that changes of every subject touch, by what their names tell and by how often they were changed."""

from __future__ import annotations

from collections.abc import Mapping

OFTEN = 0.02  # of the commits that were read: such a file is changed by work of every kind
FEWEST_COMMITS = 10


def hot_files(hot: Mapping[str, int], commits: int) -> frozenset[str]:
    """The files that at least two in a hundred of the last `commits` changed, ten of them at least."""
    least = max(FEWEST_COMMITS, commits * OFTEN)
    return frozenset(path for path, count in hot.items() if count >= least)


def is_test(path: str) -> bool:
    """Whether `path` is that of a test, by the conventions of the languages."""
    folder, _, name = path.lower().rpartition("/")
    parts = folder.split("/")
    return (
        name.startswith("test_")
        or bool(re.search(r"(_test|\.test|\.spec|_spec)\.\w+$", name))
        or any(part in ("tests", "test", "__tests__", "spec", "e2e") for part in parts)
    )
