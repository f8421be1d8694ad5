"""A GitHub on the loopback for each test of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forge.github import LoopbackGitHub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LoopbackGitHub]:
    folder = tmp_path / "forge"
    folder.mkdir()
    with LoopbackGitHub(folder).running() as forge:
        yield forge
