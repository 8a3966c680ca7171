import pytest

from allocation.entrypoints.relay.verification.pace import INTERVAL, LARGEST_PAGE, Pace


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("rate", "page"), [(0.001, 1), (1, 1), (50, 10), (10_000, LARGEST_PAGE)])
def test_pages_are_small_at_a_low_rate(rate: float, page: int) -> None:
    assert Pace(rate).page == page


@pytest.mark.parametrize("rate", [0.5, 50, 10_000])
@pytest.mark.parametrize("page_lasts", [0.0, 0.04], ids=["pages-last-no-time", "pages-last-some-time"])
def test_the_pace_keeps_the_rate_on_average(rate: float, page_lasts: float) -> None:
    clock = Clock()
    pace, registers = Pace(rate, clock), 0
    for extra in range(100):
        clock.now += page_lasts
        registers += pace.page + extra % 3
        clock.now += pace.pause_after(pace.page + extra % 3)
    assert registers / clock.now == pytest.approx(rate)


def test_no_burst_follows_a_page_that_lasted_long() -> None:
    clock = Clock()
    pace = Pace(50, clock)
    clock.now = 1_000.0
    pauses = [pace.pause_after(pace.page) for _ in range(10)]
    assert pauses[0] == 0.0, "the page has used up its time"
    assert pauses[1:] == pytest.approx([INTERVAL * n for n in range(1, 10)])


def test_small_and_empty_pages_do_not_follow_each_other_faster() -> None:
    """The service may be empty. Then every page is empty."""
    clock = Clock()
    pace = Pace(50, clock)
    assert [pace.pause_after(0), pace.pause_after(1)] == pytest.approx([INTERVAL, 2 * INTERVAL])
