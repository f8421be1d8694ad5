"""From what people have (tasks.md, design, specs, contracts, the code) to a plan; never imports `run`."""
