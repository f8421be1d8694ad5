"""The tool's own configuration where a path cannot tell: its table in `pyproject.toml`, which packages may write.

Whoever may not write `parallel-impl.toml` may not change that table either: it is the same configuration.
"""

from __future__ import annotations

from collections.abc import Iterator

from parallel_impl import config
from parallel_impl.git.staging import Violation
from parallel_impl.run.attempt.job import Attempt

PYPROJECT = "pyproject.toml"


def violations(attempt: Attempt) -> Iterator[Violation]:
    """A violation where the attempt changed the table and its scope denies it the configuration."""
    repo, denied = attempt.workspace.repo, attempt.package.scope.denied_by(config.FILE)
    if not denied or PYPROJECT not in {change.path for change in attempt.work.changes}:
        return
    before, after = (config.own_table(repo.read(tree, PYPROJECT)) for tree in (attempt.base, attempt.commit))
    if before != after:
        yield Violation(PYPROJECT, f"{config.SECTION} is changed: the configuration of parallel-implement is denied")
