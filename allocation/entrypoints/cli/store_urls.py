"""Where the stores are."""


def address(name: str) -> str:
    """DATABASE_URL or REDIS_URL: of the environment, else of the service that runs from the data folder."""
    from allocation.config import BadSettings, settings
    from allocation.local.running import addresses

    config = settings()
    given = {"DATABASE_URL": config.database_url, "REDIS_URL": config.redis_url}[name]
    found = given or (addresses(config.data) or {}).get(name)
    if found is None:
        raise BadSettings(f"{name} is not set, and no service runs from here: start one with make run")
    return found
