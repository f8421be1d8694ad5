"""Preparation of an implementation: four planners side by side, a reviewer, one plan, a sign-off."""
