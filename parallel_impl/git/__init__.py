"""The git room: the one door to git, package repositories and worktrees, staging, union."""
