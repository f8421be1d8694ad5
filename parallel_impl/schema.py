"""The JSON schemas that we ship, and validators for them that never fetch anything.

The schemas lie in `schemas/` at the top of the source tree and inside the package in a wheel.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator


def folder() -> Path:
    """Where the shipped schemas lie: in the installed package, or at the top of a source tree."""
    installed = Path(__file__).parent / "schemas"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "schemas"


@cache
def document(name: str) -> dict[str, Any]:
    """The schema `<name>.schema.json`, parsed."""
    loaded: dict[str, Any] = json.loads((folder() / f"{name}.schema.json").read_text("utf-8"))
    return loaded


@cache
def validator(name: str) -> Draft202012Validator:
    """A validator of one of our schemas; its registry is empty, so no `$ref` is ever read from elsewhere."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  (150 ms, only where something is validated)
    from referencing import Registry  # noqa: PLC0415

    return Draft202012Validator(document(name), registry=Registry())
