"""One attempt at a package, from its base to its result."""
