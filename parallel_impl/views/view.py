"""What a view is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Means(StrEnum):
    """How this machine gives each process of a run a checkout that is ready."""

    OVERLAY = "overlay"
    COPY = "copy"
    EACH = "each"


@dataclass(frozen=True, slots=True)
class View:
    """A checkout as its processes see it: `layers` (the uppermost first) that nothing writes to, and an `upper`.

    It is mounted at the path `at`; the folder around that is `level`, the view's own. Layers, `upper` and `work` are
    names in the folder `store`, on one file system. `copy` is in their place where there is no overlay: a plain folder
    that is the checkout ("": there is one). What runs in the view sees nothing of what is in the folders `covers` but
    its own level and the folders `shown`. `user`: it needs a user namespace.
    """

    at: Path
    level: Path
    store: Path
    layers: tuple[str, ...] = ()
    upper: str = ""
    work: str = ""
    copy: str = ""
    covers: tuple[Path, ...] = ()
    shown: tuple[Path, ...] = ()
    user: bool = False
