"""Serves any app the way `allocation serve` does: `python -m benchmarks.serve <module>:<factory>`."""

import sys

from allocation.entrypoints.cli.processes import exec_web_server

if __name__ == "__main__":
    exec_web_server(sys.argv[1], "DATABASE_URL", "REDIS_URL")
