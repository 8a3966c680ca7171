"""Serves any app the way `allocation serve` does: `python -m benchmarks.serve <module>:<factory>`."""

import sys

from allocation.entrypoints.cli.processes import serve_app

if __name__ == "__main__":
    serve_app(sys.argv[1], "DATABASE_URL", "REDIS_URL")
