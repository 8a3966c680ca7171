from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryError, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from tests.support.patience import PATIENCE

T = TypeVar("T")


def eventually(observe: Callable[[], T], *, within: float = PATIENCE) -> T:
    """Return what `observe` returns as soon as that is true. Repeat it while it raises AssertionError."""
    retrying = Retrying(
        retry=retry_if_exception_type(AssertionError) | retry_if_result(lambda seen: not seen),
        stop=stop_after_delay(within),
        wait=wait_fixed(0.02),
        reraise=True,
    )
    try:
        return retrying(observe)
    except RetryError as error:
        raise AssertionError(f"Still {error.last_attempt.result()!r} after {within} s") from None
