"""TOML that somebody else wrote, of any shape and size: read in a moment, or refused with the reason."""

from __future__ import annotations

import re
import tomllib
from typing import Any

LARGEST = 5_000_000  # bytes
DEEPEST = 100  # levels of tables and lists, and parts of one key
_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
# tomllib takes 100 seconds for one key of 50,000 parts
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_.\"'-]){_PART}(?:[ \t]*\.[ \t]*{_PART}){{{DEEPEST}}}")


def load(content: bytes) -> dict[str, Any]:
    """The table in a file; ValueError says what is wrong with it."""
    if len(content) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST // 1_000_000} MB")
    text = content.decode("utf-8")
    if found := _LONG_KEY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise ValueError(f"a key of more than {DEEPEST} parts (at line {line})")
    try:
        loaded = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels") from None
    if _is_deep(loaded):
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
    return loaded


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        inside = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        if not (level := [below for values in inside for below in values]):
            return False
    return True
