from pathlib import Path
from typing import Any

import orjson

FOLDER = Path(__file__).parent / "golden"


def golden(name: str) -> Any:
    return orjson.loads((FOLDER / name).read_bytes())
