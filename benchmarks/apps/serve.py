"""Serves an app with the web server of `allocation serve`: `python -m benchmarks.apps.serve <module>:<factory>`.

A module with the constant WSGI makes a WSGI app.
"""

import os
import sys
from importlib import import_module

from allocation.entrypoints.cli.run.processes import exec_web_server
from allocation.entrypoints.cli.settings import settings_with

if __name__ == "__main__":
    factory, settings = sys.argv[1], settings_with("database_url", "redis_url")
    if hasattr(import_module(factory.partition(":")[0]), "WSGI"):
        os.environ["GRANIAN_BLOCKING_THREADS"] = str(settings.threads)
        exec_web_server(factory, settings, interface="wsgi")
    exec_web_server(factory, settings)
