"""The forge of an address, asked with the user's token; its library is loaded only for who uses that forge."""

from __future__ import annotations

from collections.abc import Mapping

from parallel_impl.forge.address import Address, ForgeKind
from parallel_impl.forge.credentials import Access
from parallel_impl.forge.forge import Forge, ForgeError


def connect(address: Address, target: str, environment: Mapping[str, str]) -> Forge:
    """The forge of an address.

    `target` is the repository that pull requests go to, `owner/name`; "" is the repository itself, or of a fork the
    one that it was made from.

    ForgeError where none is known there, its library is not installed, or it does not answer; UserError without a
    token.
    """
    if address.kind is ForgeKind.NONE:
        what = f"no forge is known at {address.host}" if address.host else "the remote is on no forge"
        raise ForgeError(what, hint='write forge = "github" or forge = "gitlab" into the configuration if it is one')
    access = Access.find(address, environment)
    if address.kind is ForgeKind.GITLAB:
        from parallel_impl.forge import gitlab  # noqa: PLC0415

        return gitlab.open_project(address, target, access)
    from parallel_impl.forge import github  # noqa: PLC0415

    return github.open_repository(address, target, access)
