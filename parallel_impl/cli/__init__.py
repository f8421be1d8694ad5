"""The command line: arguments in, text and exit codes out; no decisions. One module per command."""
