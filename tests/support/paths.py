"""Folders of the repository and of test data."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "data"
"""A few batches and orders as CSV files."""
REAL_ORDERS = ROOT.parent / "shared" / "data" / "online-retail"
"""An optional folder of real orders. If it is missing, pytest skips the tests that need it."""
