"""The users of deploy/redis-users.acl on the Redis server of the test session."""

from urllib.parse import urlsplit

from redis import Redis

from tests.support.paths import ROOT

FILE = ROOT / "deploy" / "redis-users.acl"
PASSWORD = "a-password-of-the-tests"
SERVICE, QUERIES = "allocation", "queries"


def create_users(url: str) -> None:
    """Create the users of the file, with PASSWORD. The default user stays, for the tests themselves."""
    with Redis.from_url(url) as redis:
        for line in FILE.read_text().splitlines():
            match line.split():
                case ["user", name, *rules] if name != "default":
                    redis.execute_command("ACL", "SETUSER", name, *(own_password(rule) for rule in rules))


def own_password(rule: str) -> str:
    return f">{PASSWORD}" if rule.startswith(">") else rule


def url_for(user: str, url: str) -> str:
    """Return the URL with this user instead of its own."""
    netloc = urlsplit(url).netloc.rpartition("@")[2]
    return urlsplit(url)._replace(netloc=f"{user}:{PASSWORD}@{netloc}").geturl()
