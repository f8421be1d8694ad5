"""Shell scripts, run and parsed the same way everywhere.

Steps, set-up commands and gates are strings for `bash -euo pipefail -c` (`sh -ec` without bash).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence

from parallel_impl.errors import printable
from parallel_impl.text import shorten


def argv(command: str | Sequence[str], path: str) -> list[str]:
    """What to start for a step: a list as it is, a string through bash, or sh where `path` has no bash."""
    if not isinstance(command, str):
        return list(command)
    if shutil.which("bash", path=path):
        return ["bash", "-euo", "pipefail", "-c", command]
    return ["sh", "-ec", command]


def parse_errors(scripts: Iterable[str], env: Mapping[str, str]) -> dict[str, str]:
    """Scripts that the shell cannot parse, with its message. Nothing is run (`-n`).

    All scripts are tried as one first, because a process costs 2 ms: a batch that parses holds none that does
    not; one that does not parse is halved.
    """
    shell = shutil.which("bash", path=env.get("PATH")) or shutil.which("sh", path=env.get("PATH")) or "sh"
    found: dict[str, str] = {}
    alone: list[str] = []  # an open here-document would swallow its neighbours
    together: list[str] = []
    for script in dict.fromkeys(scripts):
        (alone if "<<" in script or "\0" in script else together).append(script)
    for batch in (together, *([script] for script in alone)):
        _halve(shell, env, batch, found)
    return found


def _halve(shell: str, env: Mapping[str, str], batch: list[str], found: dict[str, str]) -> None:
    if len(batch) == 1:
        if said := _complaint(shell, env, batch[0]):
            found[batch[0]] = said
    elif batch and _complaint(shell, env, "".join(f"if :; then\n{script}\nfi\n" for script in batch)):
        middle = len(batch) // 2
        _halve(shell, env, batch[:middle], found)
        _halve(shell, env, batch[middle:], found)


def _complaint(shell: str, env: Mapping[str, str], script: str) -> str:
    if "\0" in script:
        return "a NUL character"
    text = script.encode(errors="surrogateescape")
    done = subprocess.run([shell, "-n"], input=text, env=dict(env), capture_output=True, timeout=60, check=False)
    said = [line.split(": ", 1)[-1] for line in done.stderr.decode(errors="replace").splitlines()]
    if done.returncode == 0 and not any("here-document" in line for line in said):
        return ""
    return shorten(printable(said[0] if said else f"{shell} -n: exit {done.returncode}"), 200)
