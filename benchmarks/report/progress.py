import sys


def print_progress(line: str) -> None:
    """Print a line to standard error. Standard output has only the report."""
    print(line, file=sys.stderr, flush=True)
