"""How long tests wait before they fail. No test asserts how long something takes."""

import os

PATIENCE = float(os.environ.get("TEST_PATIENCE", "120"))
"""Seconds. Set TEST_PATIENCE higher on a slow machine."""
