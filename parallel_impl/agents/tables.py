"""What is wrong with the `agents` tables of the configuration, whether a package uses them or not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from parallel_impl.agents import dialect as dialects
from parallel_impl.agents import kinds
from parallel_impl.agents.dialect import Dialect
from parallel_impl.agents.dialects.catalogue import DIALECTS
from parallel_impl.config import AgentSettings, Config
from parallel_impl.errors import Problem

ADDS_VERSION = ("claude", "gemini", "anthropic")  # they put the version of the interface behind `base_url` themselves
VERSION = re.compile(r"/v1(beta)?/*$")


def problems(config: Config) -> Iterator[Problem]:
    """All mistakes that can be seen without looking at this machine."""
    for name, settings in config.agents.items():
        if wrong := kinds.no_kind(name, settings):
            yield replace(wrong, where=config.source)
        else:
            found = unfit(name, DIALECTS[settings.kind], settings)
            yield from (replace(one, where=config.source) for one in found)


def unfit(name: str, dialect: Dialect, settings: AgentSettings) -> Iterator[Problem]:
    """The settings that this kind of client would ignore, needs, or takes in another form."""
    at, kind = f"agents.{name}.", dialect.name
    for setting in dialects.unfollowed(dialect, settings):
        yield Problem(f"{at}{setting}: {kind} cannot follow it", hint=f"leave {setting} away")
    if kind == "acp" and not settings.program:
        yield Problem(f"{at}program: is missing", hint=f'write {at}program = "my-agent --acp"')
    if kind in ADDS_VERSION and (version := VERSION.search(settings.base_url)):
        what = f"{at}base_url: {kind} itself adds {version[0].rstrip('/')} to it"
        yield Problem(what, hint=f'write {at}base_url = "{settings.base_url[: version.start()]}"')
