"""By which means the checkouts of a test are made ready.

`PARALLEL_IMPL_TEST_CHECKOUTS` chooses: `overlay` (the default), `copy` or `each`; where this machine can do less it is
that, as it is for a user. A test of what this machine cannot do is skipped.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from parallel_impl.git import mounts
from parallel_impl.views import trial
from parallel_impl.views.trial import Ability
from parallel_impl.views.view import Means


@cache
def found() -> Ability:
    """What this machine can do."""
    with tempfile.TemporaryDirectory() as folder:
        return trial.find(Path(folder))


def _reached(wanted: Means) -> Means:
    """The best means of this machine that is no better than the wanted one."""
    best = (Means.OVERLAY, Means.COPY, Means.EACH)
    return wanted if wanted is Means.EACH else max(wanted, found().means, key=best.index)


CHOSEN = _reached(Means(os.environ.get("PARALLEL_IMPL_TEST_CHECKOUTS", Means.OVERLAY)))  # it is replaced later


def ability(means: Means) -> Ability:
    """What a machine can do that has these means; skips where this one has less."""
    here = found()
    if here.means is Means.EACH or (here.means is Means.COPY and means is Means.OVERLAY):
        pytest.skip(f"no such views here: {here.why}")
    return replace(here, means=means)


def written(home: Path, name: str, repository_name: str) -> Path:
    """Where a process that was killed leaves what was written in a checkout that it had open."""
    if CHOSEN is Means.EACH:
        return home / name / repository_name
    return mounts.written_in(home, name) / (mounts.COPY if CHOSEN is Means.COPY else mounts.UPPER)
