"""The settings of a subcommand, with the URLs of the running service as a fallback."""

from allocation.config import EXAMPLES, BadSettings, Settings, load_settings
from allocation.local.running import service_urls


def settings_with(*urls: str) -> Settings:
    """Return the settings with a value for each name in `urls`: `database_url`, `redis_url`.

    If the environment does not set a URL, use the URL of the running service. Raise BadSettings if no service runs.
    """
    settings = load_settings()
    missing = [name for name in urls if getattr(settings, name) is None]
    if not missing:
        return settings  # Without a look into the data folder, which may belong to another user.
    running = service_urls(settings.data) or {}
    for name in missing:
        if name.upper() not in running:
            raise BadSettings(
                f"{name.upper()} is not set, and no service runs from the folder {settings.data}. Start it with "
                f"allocation run, or set the URL, for example: export {name.upper()}={EXAMPLES[name.upper()]}"
            )
    found = {name: running[name.upper()] for name in missing}
    if "redis_url" in found:
        found["redis_prefix"] = running.get("ALLOCATION_REDIS_PREFIX", "")  # The service uses this Redis under it.
    return settings.model_copy(update=found)
