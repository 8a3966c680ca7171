import os
from pathlib import Path


def write_secret(path: Path, secret: str) -> None:
    """Replace a file atomically by one that only its owner can read."""
    new = path.with_name(path.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secret)
    new.rename(path)
