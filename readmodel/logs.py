import logging


def configure() -> None:
    """Log readable lines to standard error, in one format for all processes."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
