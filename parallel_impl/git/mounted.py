"""Where the files of one checkout are, when its processes see them in a view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from parallel_impl.git.layer import PreparedLayer, UnfinishedLayer
from parallel_impl.git.mountpoints import Mountpoint
from parallel_impl.views.slot import OpenView
from parallel_impl.views.view import View


@dataclass(slots=True)
class Mounted:
    """The view of one checkout, in its folder `place`; it changes once, when set-up has made its layer.

    `opened` is None for one that a killed process had open. `why` is the path for which no known layer served its
    commit. `layer` is None until set-up has run here: it is `unfinished` then, and `written` says when its tracked
    files were written. `below` is the folder that it is mounted over (None: there is none any more, or an earlier
    process made it).
    """

    place: Path
    commit: str
    about: View
    opened: OpenView | None = None
    layer: PreparedLayer | None = None
    why: str = ""
    unfinished: UnfinishedLayer | None = None
    written: Mapping[bytes, int] = field(default_factory=dict)
    below: Mountpoint | None = None

    @property
    def name(self) -> str:
        """What the checkout is called."""
        return self.place.name

    @property
    def ready(self) -> bool:
        """Whether set-up has run: here, or in the layer below."""
        return self.layer is not None

    @property
    def files(self) -> Path:
        """Where this process reads its files. What they are called by its processes, `Path.resolve` of this tells."""
        return self.opened.files if self.opened else self.folder

    @property
    def upper(self) -> Path | None:
        """Where what was changed in it lies; None where it is a plain folder."""
        return self.about.store / self.about.upper if self.about.upper else None

    @property
    def folder(self) -> Path:
        """The plain folder that it is, or its upper."""
        return self.about.store / (self.about.copy or self.about.upper)

    def close(self) -> None:
        """End the view."""
        if self.opened:
            self.opened.close()
        self.opened = None
