"""Every test runs in a hermetic environment, in this process and in the ones that it starts."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.repository import hermetic


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Replace the environment for the whole session: own HOME, no `GIT_*` of the developer's, UTC."""
    inherited = dict(os.environ)
    replaced = hermetic(inherited, tmp_path_factory.mktemp("home"))
    os.environ.clear()
    os.environ.update(replaced)
    yield
    os.environ.clear()
    os.environ.update(inherited)
