"""A stub and a repository for each test; a client that is not installed skips its tests, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients.scene import Scene, missing
from tests.models.scenario import Scenario
from tests.models.stub import Stub

Stage = Callable[[str], Scene]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Make the scene of a client, `stage("claude")`. What a run leaves behind is in the test's folder."""
    with ExitStack() as stack:

        def make(client: str) -> Scene:
            if why := missing(client):
                pytest.skip(why)
            plays: dict[str, Scenario] = {}
            return Scene(client, stack.enter_context(Stub(plays).running()), tmp_path, plays)

        yield make
