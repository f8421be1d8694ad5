"""Kinds of files that changes of every subject touch: one package owns such a file, or the integration package.

A third of the changes measured meet in a handful of files (routes, registries, manifests, the changelog). Two packages
that both may write one can only run one after the other, so a rule settles them, not a guess for each change.
"""

from __future__ import annotations

import posixpath
import re

LOCK_FILES = frozenset({
    "uv.lock", "poetry.lock", "pdm.lock", "pipfile.lock", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock",
    "pnpm-lock.yaml", "bun.lock", "bun.lockb", "cargo.lock", "go.sum", "gemfile.lock", "composer.lock", "flake.lock",
})  # fmt: skip
MANIFESTS = frozenset({
    "pyproject.toml", "setup.py", "setup.cfg", "package.json", "cargo.toml", "go.mod", "gemfile", "composer.json",
    "makefile", "justfile", "tsconfig.json", ".gitignore", ".gitattributes", ".pre-commit-config.yaml", "tox.ini",
    "pom.xml", "build.gradle", "build.gradle.kts", "cmakelists.txt",
})  # fmt: skip
GUIDES = frozenset({"readme.md", "claude.md", "agents.md", "gemini.md", "contributing.md"})
REGISTRIES = frozenset({"__init__.py", "index.ts", "index.tsx", "index.js", "mod.rs", "lib.rs", "conftest.py"})

_CHANGELOG = re.compile(r"(change ?log|changes|history|release[-_ ]?notes)(\.\w+)?$")
_CONTAINER = re.compile(r"(docker-)?compose[\w.-]*\.ya?ml$|dockerfile([.-][\w.-]+)?$|.*\.dockerfile$")
_CI = re.compile(r"(^|/)(\.github/(workflows|actions)/|\.gitlab-ci|\.circleci/|azure-pipelines|jenkinsfile)")


def kind_of(path: str) -> str:
    """What kind of shared file `path` is, in words for a person; empty for one that is none."""
    lower = path.lower()
    name = posixpath.basename(lower)
    if name in LOCK_FILES:
        return "lock file"
    if _CHANGELOG.match(name) and lower.count("/") <= 1:
        return "changelog"
    if name in MANIFESTS:
        return "project configuration"
    if _CONTAINER.match(name):
        return "container"
    if _CI.search(lower):
        return "CI"
    if name in GUIDES and lower.count("/") <= 1:
        return "guide"
    return "registry" if name in REGISTRIES else ""
