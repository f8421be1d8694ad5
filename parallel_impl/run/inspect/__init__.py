"""Runs as they lie on disk: what they hold, what they did, what of them can be removed."""
