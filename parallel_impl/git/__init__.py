"""The git room: the one door to git, package repositories and worktrees, staging, union."""

import os

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # else GitPython cannot even be imported where there is no git
