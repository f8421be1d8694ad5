"""Print the lowest version of each direct dependency that pyproject.toml admits, as constraints for pip.

Called by `make test-lowest`; what the direct ones need is then chosen by pip.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?>=(?P<version>[0-9][0-9.]*)(?:,.*)?")


def direct(project: Path = PROJECT) -> list[str]:
    """Every requirement that the project writes down itself: to run, to test and to build."""
    told = tomllib.loads(project.read_text())
    extras = told["project"]["optional-dependencies"].values()
    every = (told["project"]["dependencies"], *extras, told["build-system"]["requires"])
    return [*dict.fromkeys(one for some in every for one in some)]


def lowest(requirement: str) -> str:
    """The requirement's lower bound as `name==version`; ValueError when it has none."""
    found = REQUIREMENT.fullmatch(requirement)
    if found is None:
        raise ValueError(f"pyproject.toml: {requirement!r} has no lower bound: write name>=version")
    return f"{found['name']}=={found['version']}"


if __name__ == "__main__":
    sys.stdout.write("".join(f"{lowest(requirement)}\n" for requirement in direct()))
