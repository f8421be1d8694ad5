"""The plan room: from the text of `work-packages.yaml` to a checked `Plan`. Pure."""
