"""The glob language of scopes and locks: patterns, and where two of them meet."""
