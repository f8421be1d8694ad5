"""As whom a command works that writes into a repository: never as root in somebody else's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def work_as_owner(command: str, dropped: Mapping[str, str], *, wanted: bool) -> None:
    """Become the owner of the repository where that is `wanted`, else UserError for root in somebody else's.

    `command` is what was typed; `dropped` are variables that this process was started with.
    """
    from parallel_impl.git import ownership  # noqa: PLC0415

    if wanted:
        ownership.become_owner(Path.cwd(), {**os.environ, **dropped})
    else:
        ownership.check(Path.cwd(), command)
