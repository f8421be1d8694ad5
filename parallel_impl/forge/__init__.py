"""Pull requests: which forge a remote is, what a body says, and how it gets there; asked only where it is wanted."""
