"""What readers conclude from the heartbeat, and when the relay may renew it."""

import pytest

from readmodel.projector.follow import Completeness
from readmodel.store.errors import ModelOutdated
from readmodel.store.records.heartbeat import Heartbeat, warning
from readmodel.store.records.progress import BucketProgress, Progress, replication_id_in

NOW = 1_800_000_000_000


def progress(moment: int, *cursors: int) -> Progress:
    return Progress([BucketProgress(cursor, "the log", 1, "") for cursor in cursors], "r1", moment)


@pytest.mark.parametrize("heartbeat", [Heartbeat("r1", NOW, "g5"), Heartbeat("r1", NOW), Heartbeat("", 0, "g5")])
def test_heartbeat_survives_its_text(heartbeat: Heartbeat) -> None:
    assert Heartbeat.parse(str(heartbeat)) == heartbeat


@pytest.mark.parametrize("stored", [None, "", "r1", "r1 x", "r1 -5", "r1 ٧", "\udcff 5", f"r1 {'9' * 30}"])
def test_heartbeat_that_is_damaged_counts_as_missing(stored: str | None) -> None:
    assert Heartbeat.parse(stored) is None


@pytest.mark.parametrize(
    ("age", "expected"), [(0, None), (5_000, None), (5_001, "behind; seconds=5"), (61_900, "behind; seconds=61")]
)
def test_views_are_behind_when_the_heartbeat_is_old(age: int, expected: str | None) -> None:
    assert warning(Heartbeat("r1", NOW - age), "r1", "g5", NOW, 5.0) == expected


def test_views_are_behind_when_no_relay_ever_reported() -> None:
    assert warning(None, "r1", "g5", NOW, 5.0) == "behind; seconds=1800000000"


def test_a_moment_in_the_future_is_unknown() -> None:
    """Redis has set its clock back, or the heartbeat is damaged. Otherwise, views would never count as old."""
    assert warning(Heartbeat("r1", NOW + 5_001), "r1", "g5", NOW, 5.0) == "behind; seconds=1800000000"
    assert warning(Heartbeat("r1", NOW + 4_999), "r1", "g5", NOW, 5.0) is None


def test_only_the_suspect_generation_is_suspect() -> None:
    heartbeat = Heartbeat("r1", NOW - 60_000, "g5")
    assert warning(heartbeat, "r1", "g5", NOW, 5.0) == "suspect"
    assert warning(heartbeat, "r1", "g6", NOW, 5.0) == "behind; seconds=60"


@pytest.mark.parametrize("heartbeat", [Heartbeat("r1", NOW), Heartbeat("r1", NOW, "g5")])
def test_views_are_outdated_on_another_server(heartbeat: Heartbeat) -> None:
    with pytest.raises(ModelOutdated):
        warning(heartbeat, "r2", "g5", NOW, 5.0)


def test_a_replication_id_is_read_from_the_report() -> None:
    info = "# Replication\r\nrole:slave\r\nmaster_replid:abc\r\nmaster_replid2:def\r\n"
    assert replication_id_in(info) == "abc"


def test_views_are_complete_when_all_cursors_reach_the_end() -> None:
    assert Completeness().complete_at(progress(100, 7, 9), end=7) == 100
    assert Completeness().complete_at(progress(100, 6, 9), end=7) is None


def test_completeness_is_proven_later_under_constant_load() -> None:
    """The cursors never reach the present end, but they pass each former one."""
    completeness = Completeness()
    assert completeness.complete_at(progress(100, 5), end=10) is None
    assert completeness.complete_at(progress(200, 9), end=20) is None, "position 10 is not shown yet"
    assert completeness.complete_at(progress(300, 12), end=30) == 100
    assert completeness.complete_at(progress(400, 29), end=40) is None
    assert completeness.complete_at(progress(500, 35), end=50) == 300


def test_completeness_is_not_proven_by_a_server_that_lost_data() -> None:
    completeness = Completeness()
    completeness.complete_at(progress(100, 5), end=10)
    assert completeness.complete_at(progress(200, 3), end=10) is None


def test_completeness_of_one_server_proves_nothing_on_another() -> None:
    """The former server had commits that this one may lack, although its cursors pass the former end."""
    completeness = Completeness()
    completeness.complete_at(progress(100, 5), end=10)
    restarted = progress(200, 12)._replace(replication_id="r2")
    assert completeness.complete_at(restarted, end=20) is None


def test_an_open_transaction_holds_back_a_new_server_once() -> None:
    completeness = Completeness()
    assert completeness.complete_at(progress(100, 5), end=5) == 100
    assert not completeness.may_pass_fence_once(progress(100, 5))
    restarted = [progress(moment, 5)._replace(replication_id="r2") for moment in (2_000, 2_999, 3_000, 9_000)]
    held_back = []
    for moment in restarted:
        assert completeness.complete_at(moment, end=9) is None
        held_back.append(completeness.may_pass_fence_once(moment))
    assert held_back == [False, False, True, False]
