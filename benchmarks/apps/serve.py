"""Serves an app with the web server of `allocation serve`: `python -m benchmarks.apps.serve <module>:<factory>`."""

import sys

from allocation.entrypoints.cli.processes import exec_web_server
from allocation.entrypoints.cli.settings import settings_with

if __name__ == "__main__":
    exec_web_server(sys.argv[1], settings_with("database_url", "redis_url"))
