"""What commands did to the files of a checkout that its commit has: whether any was written, and which differ now.

A file that was changed and put back is written too: what ran beside may have seen it as it was between.
"""

from __future__ import annotations

from collections.abc import Collection

from parallel_impl.git.checkout import Checkout
from parallel_impl.git.repo import encode
from parallel_impl.git.traces import Traces
from parallel_impl.git.trees import Trees
from parallel_impl.git.upper_walk import UpperWalk
from parallel_impl.git.walk import signature

METADATA = (".egg-info", ".dist-info")  # what an installation writes about itself; nothing is imported from it


class Edits:
    """The state of a checkout that is ready; make it before the commands start."""

    def __init__(self, trees: Trees, checkout: Checkout) -> None:
        self._trees, self._checkout = trees, checkout
        self._tracked = frozenset(trees.listing(checkout.commit).entries)
        self._traces = Traces(trees, checkout, set_up=True)
        self._before = self._look()

    def touched(self) -> bool:
        """Whether any tracked file was written, removed or replaced since; costs one `lstat` a file.

        In a view it is one for each that was written.
        """
        return self._look() != self._before

    def changed(self) -> list[str]:
        """The tracked files whose content or mode differs now, sorted."""
        return [path for path in self._traces.changed() if encode(path) in self._tracked]

    def made(self) -> list[str]:
        """The new files that nothing ignores, sorted."""
        return [path for path in self._traces.changed() if encode(path) not in self._tracked]

    def _look(self) -> dict[bytes, tuple[int, ...]]:
        mounted, paths = self._checkout.mounted, self._tracked
        if mounted and mounted.upper:
            written = UpperWalk.of(mounted.about, self._trees.listing(self._checkout.commit))
            paths &= written.gone
        return {path: signature(self._checkout.files, path) for path in paths}


class SetUpChanges:
    """What set-up changes in a checkout: make it when the checkout is fresh, ask when set-up has ended."""

    def __init__(self, trees: Trees, checkout: Checkout) -> None:
        self._traces = Traces(trees, checkout, set_up=False)
        self._found: frozenset[str] | None = None

    def paths(self) -> frozenset[str]:
        """The tracked files that it changed and the unignored ones that it made; not what an installation is called.

        As they were when this was asked first.
        """
        if self._found is None:
            self._found = frozenset(path for path in self._traces.changed() if not _is_metadata(path))
        return self._found

    def beyond(self, usual: Collection[str]) -> list[str]:
        """Those that it does not change elsewhere, sorted."""
        return sorted(self.paths().difference(usual))


def _is_metadata(path: str) -> bool:
    return any(part.endswith(METADATA) for part in path.split("/")[:-1])
