"""The gates room: checkouts made ready, verification steps, quality gates and their reports."""
