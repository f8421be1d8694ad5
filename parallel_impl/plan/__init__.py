"""From the text of `work-packages.yaml` to a checked `Plan`, and what follows from it: order, conflicts, revisions."""
