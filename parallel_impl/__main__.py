"""`python -m parallel_impl`: the same as `parallel-impl`."""

from parallel_impl.cli.main import umbrella

if __name__ == "__main__":
    umbrella()
