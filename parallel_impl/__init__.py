"""parallel-implement: one coding agent per work package, and only proven work lands."""

__version__ = "0.1.0"
