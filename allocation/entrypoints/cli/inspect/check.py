"""The subcommand that checks running processes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import click

from allocation.entrypoints.cli.commands import command, json_option
from allocation.entrypoints.cli.errors import described
from allocation.entrypoints.cli.exits import Trouble
from allocation.entrypoints.cli.output import print_json
from allocation.entrypoints.cli.settings import settings_with

if TYPE_CHECKING:
    from redis import Redis

    from allocation.config import Settings
    from readmodel.store.names import Names

TIMEOUT = 2.0
RUNBOOK = "docs/operate.md says what to do"


class Checked(NamedTuple):
    """Why a role does not work, or None if it works, and further facts about it."""

    reason: str | None
    facts: dict[str, object] = {}  # noqa: RUF012  # Nobody changes it.


@command(trouble="A role does not work. The last line says why.")
@click.argument(
    "role",
    required=False,
    type=click.Choice(["commands", "queries", "relay", "consumer"]),
    help="Check only this role.",
)
@json_option("Print an object with the members ready and roles, which maps each role to its members.")
def check(role: str | None, as_json: bool) -> None:
    """Check whether commands and queries can be served, and whether a relay and a consumer work.

    Without a role, check all of them, and skip the consumer if none has ever worked. Health checks can use the exit
    code.
    """
    roles = [role] if role else [name for name in CHECKS if name != "consumer" or is_consumer_known()]
    found = {name: CHECKS[name]() for name in roles}
    if as_json:
        members = {
            name: {"ready": one.reason is None, "reason": one.reason, **one.facts} for name, one in found.items()
        }
        print_json({"ready": not any(one.reason for one in found.values()), "roles": members})
    else:
        for name, one in found.items():
            click.echo(f"{name.capitalize()}: {one.reason or 'ready'}")
            for fact, value in one.facts.items():
                click.echo(f"{fact.capitalize().replace('_', ' ')}: {value}")
    if reasons := [f"{name.capitalize()}: {one.reason}" for name, one in found.items() if one.reason]:
        raise Trouble(f"{'; '.join(reasons)}. {RUNBOOK}")


def check_commands() -> Checked:
    from allocation import components
    from allocation.adapters.postgres.checks.readiness import reason_not_ready

    return Checked(reason_not_ready(components.create_engine(settings_with("database_url"), connections=1)))


def check_queries() -> Checked:
    from redis.exceptions import RedisError

    from allocation import components
    from readmodel.web.queries import reason_of
    from readmodel.web.view_checks import check_views

    settings = settings_with("redis_url")
    store = components.create_store(settings, timeout=TIMEOUT)
    try:
        is_primary = store.redis.info("replication").get("role") == "master"  # A replica serves queries, too.
    except RedisError as error:
        return Checked(reason_of(error))
    found = check_views(store, settings.suspect_is_ready, settings.views_too_old, writes=is_primary)
    facts = {"views": found.members["format"]} if "format" in found.members else {}
    return Checked(found.reason or found.for_all, facts)


def check_relay() -> Checked:
    from redis.exceptions import RedisError

    from readmodel.store.records.drift import corrected_registers

    redis, names = redis_of(settings_with("redis_url"))
    try:
        reason = silence(redis, names, "relay", names.committed)
        return Checked(reason, {"corrected_registers": corrected_registers(redis, names)})
    except RedisError as error:
        return Checked(described(error))


def check_consumer() -> Checked:
    from redis.exceptions import RedisError

    from allocation.entrypoints.consumer import CHANNEL

    redis, names = redis_of(settings_with("redis_url"))
    try:
        return Checked(silence(redis, names, "consumer", names.channel(CHANNEL)))
    except RedisError as error:
        return Checked(described(error))


def is_consumer_known() -> bool:
    """Return whether a consumer has ever worked. If Redis is unavailable, return False: other roles report that."""
    from redis.exceptions import RedisError

    redis, names = redis_of(settings_with("redis_url"))
    try:
        return bool(redis.exists(names.alive("consumer")))
    except RedisError:
        return False


def redis_of(settings: "Settings") -> "tuple[Redis, Names]":
    from allocation import components

    return components.create_redis(settings, timeout=TIMEOUT), components.create_names(settings)


def silence(redis: "Redis", names: "Names", process: str, channel: str) -> str | None:
    """Return why no such process seems to work: none listens on the channel, or it hangs."""
    from readmodel.store.records.signs_of_life import reason_of_silence

    [(_, count)] = redis.pubsub_numsub(channel)
    return reason_of_silence(redis, names.alive(process), process) if count else f"no {process} listens on {channel}"


CHECKS: dict[str, Callable[[], Checked]] = {
    "commands": check_commands,
    "queries": check_queries,
    "relay": check_relay,
    "consumer": check_consumer,
}
