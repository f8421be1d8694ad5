"""What a request to the stub says: which package and attempt it is about, and how far that has come.

Everything is read from the request itself, so that the stub keeps no state and clients in parallel do not meet. An
item of the history is a prompt, results of tools, or the model's own words; each wire reads its format into these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby
from typing import Any

HEADING = re.compile(r"# Work package (\S+) of the change (\S+)")
RETRY = "The attempt before this one failed"
FOLDERS = (  # how clients name the folder that they work in
    re.compile(r"working (?:in the )?directory(?: is)?:? *`?(/[^\s`\"'<>]+)", re.IGNORECASE),
    re.compile(r"<cwd>(/[^<]+)</cwd>"),
    re.compile(r"\bcwd: *(/\S+)"),
    re.compile(r"git worktree of your own, (/[^,;]+)[,;]"),
)


class Item(Enum):
    PROMPT = "prompt"
    RESULTS = "results"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Request:
    """One request for an answer of the model. `tools` maps a name to what was said of the tool."""

    text: str
    history: tuple[tuple[Item, str], ...]
    tools: Mapping[str, Any] = field(default_factory=dict)

    @property
    def package(self) -> str:
        found = HEADING.search(self.text)
        return found[1] if found else ""

    @property
    def change(self) -> str:
        found = HEADING.search(self.text)
        return found[2] if found else ""

    @property
    def folder(self) -> str:
        """The client's working folder; "" when it does not say."""
        for pattern in FOLDERS:
            if found := pattern.search(self.text):
                return found[1].rstrip("/.")
        return ""

    @property
    def attempt(self) -> int:
        """Which attempt this is: a conversation that goes on has a prompt for each of them."""
        return max(len(self._prompts()), 2 if RETRY in self.text else 1)

    @property
    def step(self) -> int:
        """How often tools were used since the last prompt; tools that were used side by side count once."""
        prompts = self._prompts()
        since = self.history[prompts[-1] + 1 :] if prompts else self.history
        return sum(item is Item.RESULTS for item, _ in groupby(item for item, _ in since))

    def _prompts(self) -> list[int]:
        """Where the last message of each prompt stands. What a client says of its own accord comes in angle brackets,
        or before the prompt."""
        found: list[int] = []
        for place, (item, text) in enumerate(self.history):
            if item is not Item.PROMPT or text.lstrip().startswith("<"):
                continue
            if HEADING.search(text) and RETRY not in text:
                found = []
            if found and found[-1] == place - 1:
                found.pop()
            found.append(place)
        return found


def texts(content: object) -> str:
    """All text in the content of a message: a string, or parts that have one."""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        return "\n".join(texts(part) for part in content)
    if isinstance(content, Mapping):
        return texts(content.get("text") or content.get("content") or content.get("parts") or "")
    return ""
