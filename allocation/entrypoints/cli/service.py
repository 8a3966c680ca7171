"""The subcommands that report on running processes."""

from shlex import quote

import click

from allocation.entrypoints.cli.settings import settings_with


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
@click.argument("process", type=click.Choice(["relay", "consumer"]))
def check(process: str) -> None:
    """Check that a relay or a consumer is connected to Redis. Print how many registers the relays have corrected.

    Health checks can use the exit code: it is 1 if no such process is connected. The check does not detect a process
    that hangs while it is connected.
    """
    from allocation import bootstrap
    from allocation.entrypoints import consumer
    from allocation.entrypoints.relay.drift import corrected_registers

    settings = settings_with("redis_url")
    names = bootstrap.create_names(settings)
    channel = {"relay": names.committed, "consumer": names.channel(consumer.CHANNEL)}[process]
    redis = bootstrap.create_redis(settings, timeout=2.0)
    [(_, count)] = redis.pubsub_numsub(channel)
    if not count:
        raise click.ClickException(f"No {process} listens on {channel}")
    click.echo(f"Processes on {channel}: {count}")
    if process == "relay":
        click.echo(f"Corrected registers: {corrected_registers(redis, names)}")
