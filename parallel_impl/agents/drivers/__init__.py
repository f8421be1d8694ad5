"""Our own agents: programs that are started like any other client, so that the run's process imports no SDK."""
