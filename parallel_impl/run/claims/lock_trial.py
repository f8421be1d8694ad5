"""Whether locks on files hold in a folder, by a trial: all exclusion between runs relies on it."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

Flock = Callable[[int, int], object]


def problem(folder: Path, flock: Flock = fcntl.flock) -> str:
    """Why locks on files in `folder` do not hold; "" when they do: a second holder is refused."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, path = tempfile.mkstemp(prefix=".lock-trial-", dir=folder)
    other = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return ""
    except OSError as error:
        return f"file locks do not work in {folder} ({error.strerror})"
    finally:
        os.close(descriptor)
        os.close(other)
        Path(path).unlink()
    return f"file locks do not hold in {folder}"
