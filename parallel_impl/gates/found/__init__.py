"""The gates that a repository's own files ask for, one module for each kind of project."""
