"""The benchmarks use the engines of the service for statements that need a session without a transaction."""

import pytest

from benchmarks.stack import shop
from benchmarks.stack.throwaway import throwaway_stack


@pytest.mark.slow
def test_the_stack_gets_its_stock_and_its_statistics() -> None:
    """An engine that sets time-outs in each statement can't execute VACUUM."""
    with throwaway_stack() as stack:
        shop.add_stock(stack.engine)
