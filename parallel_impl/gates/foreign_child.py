"""The look for foreign code as a program: only what runs in a view sees a checkout as it is there.

A script of its own: `python -I -B foreign_child.py CHECKOUT EVERYWHERE CACHE…`; it prints a JSON list of lines.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(checkout: str, everywhere: str, *caches: str) -> None:
    """Print what is found."""
    sys.path.append(str(Path(__file__).parents[2]))
    from parallel_impl.gates import foreign  # noqa: PLC0415  (now it is found)

    found = foreign.foreign_code(Path(checkout), [Path(one) for one in caches], everywhere=everywhere == "1")
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
