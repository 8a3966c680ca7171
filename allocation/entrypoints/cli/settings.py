"""The settings of a subcommand, with the URLs of the running service as a fallback."""

from allocation.config import BadSettings, Settings, load_settings
from allocation.local.running import service_urls


def settings_with(*urls: str) -> Settings:
    """Return the settings with a value for each name in `urls`: `database_url`, `redis_url`.

    If the environment does not set a URL, use the URL of the running service. Raise BadSettings if no service runs.
    """
    settings = load_settings()
    running = service_urls(settings.data) or {}
    for name in urls:
        url = getattr(settings, name) or running.get(name.upper())
        if url is None:
            raise BadSettings(
                f"{name.upper()} is not set, and no service runs from the folder {settings.data}. "
                "Set the URL, or start the service with make run"
            )
        settings = settings.model_copy(update={name: url})
    return settings
