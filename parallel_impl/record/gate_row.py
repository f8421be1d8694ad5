"""What one quality gate meant for the whole, as journal, summary and pull request show it."""

from __future__ import annotations

import msgspec


class GateRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One quality gate; what there is nothing of is left out of the JSON.

    `texts` is who checked, where that was texts only ("" for a gate on the code). `tests`: it runs tests. `dropped`:
    it was found, not configured, and switched off because it is red on the base and nobody can read its output.

    Of the tests: `gone` no longer run, `removed` went with a file that a package removed (one line for each file),
    `renamed` were replaced, `flaky` failed and then passed, `unstable` did so on the base. `judges`: which packages
    changed what steers it; `differs` is what it says otherwise with the base's version of that, where that blocks.
    `red_under_load` failed beside other heavy work of ours and passed alone. `accepted` is what would have blocked and
    was accepted by name.
    """

    name: str
    verdict: str
    command: str = ""
    why: str = ""
    new_failures: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    old_failures: int = 0
    log: str = ""
    texts: str = ""
    tests: bool = True
    dropped: bool = False
    flaky: tuple[str, ...] = ()
    unstable: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    red_under_load: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
