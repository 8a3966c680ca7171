import logging


def configure() -> None:
    """Log lines for people to standard error, in the same format in every process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
