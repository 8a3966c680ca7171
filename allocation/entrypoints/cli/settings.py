"""The settings of a subcommand, completed with the addresses of the service that runs from the data folder."""

from allocation.config import BadSettings, Settings, load_settings
from allocation.local.running import service_urls


def settings_with(*urls: str) -> Settings:
    """Return the settings with these URLs: `database_url`, `redis_url`.

    Each one comes from the environment, or else from the running service. Raises BadSettings if neither has it.
    """
    settings = load_settings()
    running = service_urls(settings.data) or {}
    for name in urls:
        url = getattr(settings, name) or running.get(name.upper())
        if url is None:
            raise BadSettings(f"{name.upper()} is not set, and no service runs from here. Start one with make run")
        settings = settings.model_copy(update={name: url})
    return settings
