"""The room of processes: one child seen to its end, and what only Linux tells about processes."""
