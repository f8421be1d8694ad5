"""A project's own configuration files, as far as set-up and gates are found from them.

What cannot be read is empty here: `config.read` reads pyproject.toml too and says what is wrong with it.
"""

from __future__ import annotations

import configparser
import json
from collections.abc import Callable, Mapping

from parallel_impl.toml import load

Read = Callable[[str], bytes | None]  # a file of the base tree by its path, None when it is not there
Table = Mapping[str, object]


def toml(content: bytes | None) -> Table:
    """A TOML file."""
    try:
        return load(content or b"")
    except ValueError:
        return {}


def table(of: object, key: str) -> Table:
    """The table `key` in a table; empty when either is none."""
    value = of.get(key) if isinstance(of, dict) else None
    return value if isinstance(value, dict) else {}


def sections(content: bytes | None) -> Mapping[str, Table]:
    """The sections of an ini file."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string((content or b"").decode())
    except (configparser.Error, UnicodeDecodeError):
        return {}
    return {name: dict(parser[name]) for name in parser.sections()}


def json_table(content: bytes | None) -> Table:
    """A JSON file whose value is an object."""
    try:
        value = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def strings(value: object) -> list[str]:
    """The texts in a list; none where it is something else."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
