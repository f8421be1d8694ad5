"""A seeded share of the end-to-end tests, where the environment asks for one: `make test-views-share`."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.means import CHOSEN

SHARE, SEED = float(os.environ.get("VIEWS_SHARE") or 1), os.environ.get("VIEWS_SEED") or "1"
HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each means has a share of its own; every process of one test run has the same."""
    left = [item for item in items if item.path.is_relative_to(HERE) and not _is_chosen(item)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def _is_chosen(item: pytest.Item) -> bool:
    return random.Random(f"{SEED} {CHOSEN} {item.nodeid}").random() < SHARE  # noqa: S311  (no secret)
