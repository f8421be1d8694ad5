"""How our pytest plugin comes into a command, and whether it could not.

Its folder comes before everything that the command itself puts on PYTHONPATH. It is never the reason why a step or a
gate fails: where it cannot be imported, the command runs again without it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from parallel_impl.gates import script

FOLDER = Path(__file__).with_name("plugin")
NAME = "parallel_impl_report"
REPORT, ONLY = "PARALLEL_IMPL_PYTEST_REPORT", "PARALLEL_IMPL_PYTEST_ONLY"
GOES_ON = "PARALLEL_IMPL_PYTEST_GOES_ON"  # in the environment of a gate: what cannot be collected does not end it
REFUSED = f'Error importing plugin "{NAME}"'.encode()
UNLOADABLE = re.compile(rb"PluginValidationError: Plugin '([\w.-]+)' for hook")


def environment(env: Mapping[str, str], lines: Path, only: Path | None = None) -> dict[str, str]:
    """`env` with what makes pytest load the plugin, write to `lines`, and run only the tests that `only` lists."""
    options = f"{env.get('PYTEST_ADDOPTS', '')} -p {NAME}".strip()
    path = os.pathsep.join(filter(None, (str(FOLDER), env.get("PYTHONPATH"))))
    selected = {ONLY: str(only)} if only else {}
    return {**env, REPORT: str(lines), "PYTEST_ADDOPTS": options, "PYTHONPATH": path, **selected}


def command(written: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """The command with the plugin's folder before a PYTHONPATH that it sets itself."""
    return script.put_first(written, "PYTHONPATH", str(FOLDER)) if isinstance(written, str) else written


def was_refused(log: Path) -> bool:
    """Whether a pytest whose output this is could not import the plugin."""
    return log.is_file() and REFUSED in log.read_bytes()


def unloadable(log: Path) -> str:
    """The installed plugin that kept a pytest whose output this is from starting: it is for another pytest."""
    found = UNLOADABLE.search(log.read_bytes()) if log.is_file() else None
    return found[1].decode() if found else ""
