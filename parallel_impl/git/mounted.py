"""Where the files of one checkout are, when its processes see them in a view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from parallel_impl.git.layer import PreparedLayer
from parallel_impl.views.slot import OpenView


@dataclass(slots=True)
class Mounted:
    """The view of one checkout, in its folder `place`; it changes once, when set-up has made its layer.

    `why` is the path for which no known layer served its commit. `layer` is None until set-up has run here; until then
    `written` says when its tracked files were written.
    """

    place: Path
    commit: str
    view: OpenView
    layer: PreparedLayer | None = None
    why: str = ""
    written: Mapping[bytes, int] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether set-up has run: here, or in the layer below."""
        return self.layer is not None

    @property
    def files(self) -> Path:
        """Where this process reads its files. What they are called by its processes, `Path.resolve` of this tells."""
        return self.view.files

    @property
    def upper(self) -> Path | None:
        """Where what was changed in it lies; None where it is a plain folder."""
        found = self.view.view
        return found.store / found.upper if found.upper else None
