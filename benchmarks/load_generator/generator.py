"""Sends traffic with wrk, or with the client in Python if wrk is missing. Refuses a measurement with wrong answers."""

import platform

from benchmarks.load_generator import client, wrk
from benchmarks.load_generator.traffic import Figures, Traffic, WrongAnswers

CLIENTS = 64
OWN_CLIENT = "benchmarks/load_generator/client.py"


def send(port: int, traffic: Traffic, seconds: int, clients: int = CLIENTS) -> Figures:
    """Each client sends its next request when it has the answer to its last one. Raises WrongAnswers."""
    return require_right_answers(traffic, try_to_send(port, traffic, seconds, clients))


def try_to_send(port: int, traffic: Traffic, seconds: int, clients: int = CLIENTS) -> Figures:
    """Send the same as `send`, but return the figures also if answers were wrong."""
    if wrk.is_installed():
        return wrk.send(port, traffic, clients, seconds)
    return client.send(port, traffic, clients, seconds)


def send_at(rate: float, port: int, traffic: Traffic, seconds: float, clients: int = CLIENTS) -> Figures:
    """Send `rate` requests a second, however long the answers take. Raises WrongAnswers."""
    return require_right_answers(traffic, client.send(port, traffic, clients, seconds, rate))


def require_right_answers(traffic: Traffic, figures: Figures) -> Figures:
    if figures.wrong or not figures.rate:
        raise WrongAnswers(
            f"{figures.wrong} answers to {traffic.method} {traffic.path} were not {traffic.success}; "
            f"{figures.rate:.0f} a second were"
        )
    return figures


def name() -> str:
    return f"wrk {wrk.version()}" if wrk.is_installed() else f"{OWN_CLIENT} on Python {platform.python_version()}"
