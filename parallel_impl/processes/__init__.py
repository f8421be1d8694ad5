"""The room of processes: how a child is launched and seen to its end, and what only Linux tells about processes."""
