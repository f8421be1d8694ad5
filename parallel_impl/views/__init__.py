"""The view of a checkout that a process gets: read-only layers and a private upper, mounted at one path."""
