"""From the bytes of `work-packages.yaml` to a checked plan."""
