"""The accepted work put together, proven and landed."""
