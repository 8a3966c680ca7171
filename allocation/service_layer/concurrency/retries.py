"""Repeats a transaction that has lost a race or its connection."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable

ATTEMPTS = 8

T = TypeVar("T")
R = TypeVar("R")


def with_retries(work: Callable[[T], R], argument: T, retried: Callable[[RetryableError], None]) -> R:
    """Call `work(argument)`, and repeat it after a RetryableError. Raise StoreUnavailable after ATTEMPTS attempts.

    `retried` gets the error before each repetition.
    """

    def note(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, RetryableError):
            retried(error)

    retrying = Retrying(
        retry=retry_if_exception_type(RetryableError),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.005, max=0.5),
        before_sleep=note,
        reraise=True,
    )
    try:
        return retrying(work, argument)
    except RetryableError as error:
        raise StoreUnavailable(f"The transaction failed {ATTEMPTS} times: {error}") from error
