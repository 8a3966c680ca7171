import os
from pathlib import Path


def write_secret(path: Path, secret: str) -> None:
    """Write the secret to a file that only its owner can read. Replace an existing file atomically."""
    new = path.with_name(path.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secret)
    new.rename(path)
