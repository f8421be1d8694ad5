"""Documents, tree and history read into one table: which files a change will touch, for which task, and why."""
