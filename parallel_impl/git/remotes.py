"""Where the user's branches are published: a remote that exists."""

from __future__ import annotations

from parallel_impl.git.repo import Repo


def for_publishing(repo: Repo, branch: str) -> tuple[str, ...]:
    """The remote that a new branch is pushed to, beside `branch` (without `refs/heads/`; "" when there is none).

    As git itself chooses it, then the only one, then `origin`. Several where nothing tells; none where there is none.
    """
    settings = dict(repo.config())
    names = {key.split(".", 1)[1].rpartition(".")[0] for key in settings if _is_address(key)}
    chosen = (f"branch.{branch}.pushremote", "remote.pushdefault", f"branch.{branch}.remote")
    for name in (*(settings.get(key, "") for key in chosen), *(names if len(names) == 1 else ()), "origin"):
        if name in names:
            return (name,)
    return tuple(sorted(names))


def _is_address(key: str) -> bool:
    return key.startswith("remote.") and key.endswith((".url", ".pushurl"))
