"""The subcommands that ask about running processes."""

import click

from allocation.entrypoints.cli.settings import settings_with


@click.command()
def env() -> None:
    """Print the addresses of the running service, for psql, redis-cli and other programs."""
    from allocation.config import load_settings
    from allocation.local.running import service_urls

    found = service_urls(load_settings().data)
    if found is None:
        raise click.ClickException("No service runs from here. Start one with make run")
    for name, value in found.items():
        click.echo(f"{name}={value}")


@click.command()
@click.argument("process", type=click.Choice(["relay", "consumer"]))
def check(process: str) -> None:
    """Check for a health check whether any such process works. The exit code is 1 if none does.

    A process works while it is subscribed to its channel. If one of several hangs, this does not notice.
    """
    from allocation import bootstrap
    from allocation.entrypoints import consumer
    from readmodel.store import keys

    channel = {"relay": keys.COMMITTED, "consumer": consumer.CHANNEL}[process]
    redis = bootstrap.create_redis(settings_with("redis_url"), timeout=2.0)
    [(_, count)] = redis.pubsub_numsub(channel)
    if not count:
        raise click.ClickException(f"No {process} listens on {channel}")
    click.echo(f"{count} on {channel}")
