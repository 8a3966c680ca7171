"""Serves an app with the web server of `allocation serve`: `python -m benchmarks.apps.serve <module>:<factory>`."""

import sys

from allocation.entrypoints.cli.processes import exec_web_server

if __name__ == "__main__":
    exec_web_server(sys.argv[1], "database_url", "redis_url")
