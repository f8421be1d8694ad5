"""All dialects by the name that `kind` and `--agent` use."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from parallel_impl.agents.dialect import Dialect
from parallel_impl.agents.dialects.acp import Acp
from parallel_impl.agents.dialects.aider import Aider
from parallel_impl.agents.dialects.anthropic import Anthropic
from parallel_impl.agents.dialects.claude import Claude
from parallel_impl.agents.dialects.codex import Codex
from parallel_impl.agents.dialects.copilot import Copilot
from parallel_impl.agents.dialects.gemini import Gemini
from parallel_impl.agents.dialects.opencode import OpenCode
from parallel_impl.agents.dialects.qwen import Qwen

_ALL: tuple[Dialect, ...] = (
    *(Claude(), Codex(), OpenCode(), Gemini(), Copilot(), Qwen(), Aider()),
    *(Acp(), Anthropic()),
)
DIALECTS: Mapping[str, Dialect] = MappingProxyType({dialect.name: dialect for dialect in _ALL})
