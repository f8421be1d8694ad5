"""Which package manager a JavaScript project uses, by its lock file, and what installs from that file alone."""

from __future__ import annotations

from parallel_impl.gates.project_files import Read, json_table

LOCKS = {
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
}
FROZEN = {
    "npm": "npm ci",
    "pnpm": "pnpm install --frozen-lockfile",
    "yarn": "yarn install --immutable",
    "bun": "bun install --frozen-lockfile",
}
YARN_1 = "yarn install --frozen-lockfile"


def manager(read: Read) -> str:
    """npm, pnpm, yarn or bun: the field `packageManager` where several lock files are there, npm without any."""
    there = list(dict.fromkeys(name for lock, name in LOCKS.items() if read(lock) is not None))
    said = str(json_table(read("package.json")).get("packageManager", "")).partition("@")[0]
    return said if said in there else there[0] if there else "npm"


def lock_file(read: Read) -> str | None:
    """The lock file of the manager that is used."""
    used = manager(read)
    return next((lock for lock, name in LOCKS.items() if name == used and read(lock) is not None), None)


def install(read: Read) -> str:
    """The command that installs what the lock file says and changes nothing of it; "" without a lock file."""
    lock = lock_file(read)
    if lock == "yarn.lock" and b"__metadata:" not in (read(lock) or b""):
        return YARN_1
    return FROZEN[LOCKS[lock]] if lock else ""
