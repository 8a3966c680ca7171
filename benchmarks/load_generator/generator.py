"""Sends traffic with wrk, or with the client of our own, and lets no wrong answer pass."""

import platform

from benchmarks import client, wrk
from benchmarks.traffic import Figures, Traffic, WrongAnswers

CLIENTS = 64


def send(port: int, traffic: Traffic, seconds: int, clients: int = CLIENTS) -> Figures:
    """Raises WrongAnswers."""
    return checked(traffic, (wrk if wrk.is_there() else client).send(port, traffic, clients, seconds))


def send_at(rate: float, port: int, traffic: Traffic, seconds: float, clients: int = CLIENTS) -> Figures:
    """So many requests a second, whether the answers come or not. Raises WrongAnswers."""
    return checked(traffic, client.send(port, traffic, clients, seconds, rate))


def checked(traffic: Traffic, figures: Figures) -> Figures:
    if figures.wrong or not figures.rate:
        raise WrongAnswers(
            f"{figures.wrong} answers to {traffic.method} {traffic.path} were not {traffic.success}, "
            f"beside {figures.rate:.0f} a second that were"
        )
    return figures


def name() -> str:
    return f"wrk {wrk.version()}" if wrk.is_there() else f"benchmarks/client.py on Python {platform.python_version()}"
