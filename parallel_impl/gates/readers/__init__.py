"""Readers of what test tools report, one module for each format; `reports` says which reads what."""
