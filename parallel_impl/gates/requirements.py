"""Requirements files of pip, as far as set-up and gates are found from them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from parallel_impl.gates.project_files import Read

KINDS = ("dev", "develop", "test", "tests", "testing")
EXTRA = tuple(
    form.format(kind)
    for kind in KINDS
    for form in (
        "requirements-{}.txt", "requirements_{}.txt", "requirements.{}.txt", "requirements/{}.txt",
        "{}-requirements.txt", "{}_requirements.txt", "{}.requirements.txt",
    )
)  # fmt: skip
PLAIN = ("requirements.txt", "requirements/base.txt")
FILES = (*PLAIN, *EXTRA)


def found(read: Read, *, project: bool) -> Iterator[str]:
    """The files that set-up installs: those for development, and the plain one where no project says what it needs."""
    names = EXTRA if project else FILES
    yield from (name for name in names if read(name) is not None)


def installs(content: bytes | None, program: str) -> bool:
    """Whether a requirement of this name is in the file, as `name`, `name==1`, `name[extra]`, `name ; marker`."""
    line = rf"^\s*{re.escape(program)}\s*($|[\[=<>~!;#@ (])"
    return bool(re.search(line, (content or b"").decode(errors="replace"), re.M | re.I))
