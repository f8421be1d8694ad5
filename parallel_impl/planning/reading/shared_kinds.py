"""Whether a text speaks of a kind of shared file: of dependencies, of a CI step, of the image, of the readme."""

from __future__ import annotations

import re
from collections.abc import Iterable

from parallel_impl.plan.kinds import kind_of

_WORDS = {
    "project configuration": r"dependenc(?:y|ies)|packaging|third[- ]party|pip|npm|pnpm|cargo|entry[- ]points?|"
    r"console scripts?|build (?:step|system|script|target)s?|make targets?|lint(?:er|ing)?|manifest|pre-commit|"
    r"gitignore|pyproject|package\.json|makefile",
    "lock file": r"dependenc(?:y|ies)|third[- ]party|lock ?files?",
    "container": r"docker\w*|containers?|images?|compose|deploy\w*",
    "CI": r"CI|continuous integration|workflow files?|pipelines?|github actions?|gitlab|jenkins",
    "guide": r"readme|documentation|docs?|guides?",
}
_SPOKEN = {kind: re.compile(rf"(?<![\w/])(?:{words})(?![\w/])", re.IGNORECASE) for kind, words in _WORDS.items()}
_HIDDEN = re.compile(r"(^|/)\.[^/]+(/|$)")


def kind(path: str) -> str:
    """The kind of a shared file that changes for reasons of its own; "" for other files, changelog and registry too."""
    found = kind_of(path) or ("project configuration" if _HIDDEN.search(path) else "")
    return found if found in _WORDS else ""


def spoken_of(texts: Iterable[str]) -> frozenset[str]:
    """The kinds that any of the texts speaks of."""
    several = list(texts)
    return frozenset(name for name, words in _SPOKEN.items() if any(map(words.search, several)))
