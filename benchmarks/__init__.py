"""Measures what the service costs, on throw-away servers.

`python -m benchmarks` compares the service with what it is built on, and writes results.md. Each module in `studies` is
a program of its own: `python -m benchmarks.studies.<name>`.
"""
