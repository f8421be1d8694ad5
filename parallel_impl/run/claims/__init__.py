"""What each run holds: the change that it works on, and what its plan claims."""
