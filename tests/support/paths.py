from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "data"
"""A few CSV rows, for tests that need no real orders."""
REAL_ORDERS = ROOT.parent / "shared" / "data" / "online-retail"
"""An optional folder: tests that read it skip if it is missing."""
