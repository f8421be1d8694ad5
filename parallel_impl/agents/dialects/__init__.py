"""One pure module per client: how it is started, what its lines mean, how it ended."""
