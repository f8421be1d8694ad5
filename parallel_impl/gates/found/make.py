"""`make test`, for a repository that says in no other way how it is tested."""

from __future__ import annotations

import re
from collections.abc import Iterator

from parallel_impl.gates.found.found_gate import FoundGate, ProjectTree

FILES = ("GNUmakefile", "makefile", "Makefile")  # make's own order
TARGET = re.compile(r"^test\s*::?(?!=)", re.M)


def gates(tree: ProjectTree) -> Iterator[FoundGate]:
    """The target `test` of the Makefile that make would take."""
    for name in FILES:
        if (content := tree.content(name)) is not None:
            if TARGET.search(content.decode(errors="replace")):
                yield FoundGate("make-test", "make test", "exit-code", name)
            return
