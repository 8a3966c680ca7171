import os
from pathlib import Path


def create_secret_folder(path: Path) -> None:
    """Create the folder if it is missing. Only its owner can read it, even if an earlier version created it."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)


def write_secret(path: Path, secret: str) -> None:
    """Write the secret to a file that only its owner can read. Replace an existing file atomically."""
    new = path.with_name(path.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secret)
    new.rename(path)
