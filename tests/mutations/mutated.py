"""Changes one function or constant of the package when its module is imported, in every process of one interpreter.

A program of its own: it lies in the `site-packages` of a throw-away interpreter, beside `mutation.json`, and is
imported at the start of each of its processes, so the processes that tests start are mutated
too. Nothing of a file is changed, and nothing has to be put back.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent


class Mutating(Loader):
    """The module's own loader, and after it the change."""

    def __init__(self, loader: Any, name: str, becomes: str) -> None:
        self._loader, self._name, self._becomes = loader, name, becomes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        *owners, name = self._name.split(".")
        owner: Any = module
        for one in owners:
            owner = getattr(owner, one)
        original = inspect.getattr_static(owner, name)
        setattr(owner, name, eval(self._becomes, {**vars(module), "original": original}))  # noqa: S307
        with (HERE / "applied").open("a") as applied:
            applied.write(f"{module.__name__}\n")


class Finder(MetaPathFinder):
    """Finds the one module as the other finders do, with the loader above."""

    def __init__(self, target: str, becomes: str) -> None:
        self._module, _, self._name = target.partition(":")
        self._becomes = becomes

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002
        if fullname != self._module:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            sys.meta_path.insert(0, self)
        if spec and spec.loader:
            spec.loader = Mutating(spec.loader, self._name, self._becomes)
        return spec


if (HERE / "mutation.json").exists():
    sys.meta_path.insert(0, Finder(**json.loads((HERE / "mutation.json").read_text())))
