"""Expected JSON that several tests share."""

from pathlib import Path
from typing import Any

import orjson

FOLDER = Path(__file__).parent


def golden(name: str) -> Any:
    """Return the content of a file in this folder."""
    return orjson.loads((FOLDER / name).read_bytes())
