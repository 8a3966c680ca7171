"""Runs the whole service on one machine, for development, tests and small shops."""
