"""Each process reports its figures in Redis, and `allocation status` reads them."""

from dataclasses import replace

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from readmodel.store.client import redis_client
from readmodel.store.names import PLAIN, Names
from readmodel.store.records.process_reports import KEPT_FOR, ProcessReport, read, write
from tests.support.adapters.redis_users import QUERIES, SERVICE, url_for

RELAY = ProcessReport("relay", "host-1", 7, 1_000.5, "1.0", {"lag": 2.0})
WORKER = ProcessReport("commands", "host-1", 9, 1_001.0, "1.0", {"threads in use": 3.0})


def test_reports_have_the_order_of_their_roles(redis: Redis) -> None:
    for report in (RELAY, WORKER):
        write(redis, PLAIN, report)
    assert read(redis, PLAIN) == [WORKER, RELAY]


def test_later_report_replaces_the_former(redis: Redis) -> None:
    for lag in (2.0, 5.0):
        write(redis, PLAIN, replace(RELAY, figures={"lag": lag}))
    assert [report.figures for report in read(redis, PLAIN)] == [{"lag": 5.0}]


def test_report_disappears_after_a_while(redis: Redis) -> None:
    write(redis, PLAIN, RELAY)
    assert 0 < redis.ttl(PLAIN.report(RELAY.process)) <= KEPT_FOR
    redis.delete(PLAIN.report(RELAY.process))  # As Redis does when the time is over.
    assert read(redis, PLAIN) == []
    assert redis.zrange(PLAIN.reports, 0, -1) == [RELAY.process]

    redis.zadd(PLAIN.reports, {RELAY.process: 1})
    write(redis, PLAIN, WORKER)
    assert redis.zrange(PLAIN.reports, 0, -1) == [WORKER.process]


def test_services_with_a_prefix_have_reports_of_their_own(redis: Redis) -> None:
    write(redis, Names("shop2"), RELAY)
    assert read(redis, PLAIN) == []


@pytest.mark.parametrize("damage", ["{", "[]", '{"role": "relay"}', '{"figures": []}', ""])
def test_damaged_report_is_skipped(redis: Redis, damage: str) -> None:
    for report in (RELAY, WORKER):
        write(redis, PLAIN, report)
    redis.set(PLAIN.report(RELAY.process), damage)
    assert read(redis, PLAIN) == [WORKER]
    redis.set(PLAIN.reports, "no set")
    assert read(redis, PLAIN) == []


def test_users_of_the_service_may_use_the_reports(redis: Redis, redis_url: str) -> None:
    with redis_client(url_for(SERVICE, redis_url)) as service, redis_client(url_for(QUERIES, redis_url)) as queries:
        write(service, PLAIN, RELAY)
        assert read(service, PLAIN) == read(queries, PLAIN) == [RELAY]
        with pytest.raises(NoPermissionError):
            write(queries, PLAIN, WORKER)
