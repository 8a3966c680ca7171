"""The subcommands that report on running processes."""

from collections.abc import Callable
from shlex import quote
from typing import TYPE_CHECKING

import click

from allocation.entrypoints.cli.settings import settings_with

if TYPE_CHECKING:
    from redis import Redis

    from readmodel.store.names import Names

TIMEOUT = 2.0


@click.command()
def env() -> None:
    """Print the URLs of the running service as shell commands, for eval "$(allocation env)"."""
    from allocation.config import load_settings
    from allocation.local.running import service_urls

    folder = load_settings().data
    urls = service_urls(folder)
    if urls is None:
        raise click.ClickException(f"No service runs from the folder {folder}. Start the service with make run")
    for name, value in urls.items():
        click.echo(f"export {name}={quote(value)}")


@click.command()
@click.argument("role", required=False, type=click.Choice(["commands", "queries", "relay", "consumer"]))
def check(role: str | None) -> None:
    """Check whether commands and queries can be served, and whether a relay and a consumer work.

    Without a role, check all of them, and skip the consumer if none has ever worked. Health checks can use the exit
    code: it is 1 if something does not work.
    """
    checks = [CHECKS[role]] if role else [check_commands, check_queries, check_relay, check_known_consumer]
    reasons = [reason for check_role in checks for reason in check_role()]
    if reasons:
        raise click.ClickException("; ".join(reasons))


def check_commands() -> list[str]:
    from allocation import components
    from allocation.adapters.postgres.checks.readiness import reason_not_ready

    reason = reason_not_ready(components.create_engine(settings_with("database_url"), connections=1))
    return report("Commands", reason)


def check_queries() -> list[str]:
    from redis.exceptions import RedisError

    from allocation import components
    from readmodel.web.queries import reason_of
    from readmodel.web.view_checks import check_views

    settings = settings_with("redis_url")
    store = components.create_store(settings, timeout=TIMEOUT)
    try:
        is_primary = store.redis.info("replication").get("role") == "master"  # A replica serves queries, too.
    except RedisError as error:
        return report("Queries", reason_of(error))
    found = check_views(store, settings.suspect_is_ready, settings.views_too_old, writes=is_primary)
    if "format" in found.members:
        click.echo(f"Views: {found.members['format']}")
    return report("Queries", found.reason or found.for_all)


def check_relay() -> list[str]:
    from allocation import components
    from allocation.entrypoints.relay.verification.drift import corrected_registers

    settings = settings_with("redis_url")
    names, redis = components.create_names(settings), components.create_redis(settings, timeout=TIMEOUT)
    reasons = report("Relay", silence(redis, names, "relay", names.committed))
    click.echo(f"Corrected registers: {corrected_registers(redis, names)}")
    return reasons


def check_consumer() -> list[str]:
    from allocation import components
    from allocation.entrypoints.consumer import CHANNEL

    settings = settings_with("redis_url")
    names, redis = components.create_names(settings), components.create_redis(settings, timeout=TIMEOUT)
    return report("Consumer", silence(redis, names, "consumer", names.channel(CHANNEL)))


def check_known_consumer() -> list[str]:
    from allocation import components

    settings = settings_with("redis_url")
    known = components.create_redis(settings, timeout=TIMEOUT).exists(
        components.create_names(settings).alive("consumer")
    )
    return check_consumer() if known else []


def silence(redis: "Redis", names: "Names", process: str, channel: str) -> str | None:
    """Return why no such process seems to work: none listens on the channel, or it hangs."""
    from readmodel.store.records.signs_of_life import reason_of_silence

    [(_, count)] = redis.pubsub_numsub(channel)
    return reason_of_silence(redis, names.alive(process), process) if count else f"no {process} listens on {channel}"


def report(role: str, reason: str | None) -> list[str]:
    click.echo(f"{role}: {reason or 'ready'}")
    return [] if reason is None else [f"{role}: {reason}"]


CHECKS: dict[str, Callable[[], list[str]]] = {
    "commands": check_commands,
    "queries": check_queries,
    "relay": check_relay,
    "consumer": check_consumer,
}
