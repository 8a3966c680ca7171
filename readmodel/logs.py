import logging


def configure() -> None:
    """Lines for people, on standard error; the same in every process of the service."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
