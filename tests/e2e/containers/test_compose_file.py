"""The rules of docker-compose.yml."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from allocation.entrypoints.cli.main import main
from tests.support.e2e.compose import COMPOSE, LONG_RUNNING, OURS, PORT, SERVICES, VARIABLE
from tests.support.paths import ROOT


def test_every_long_running_service_restarts_and_is_checked() -> None:
    for name in LONG_RUNNING:
        assert SERVICES[name]["restart"] == "unless-stopped", name
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD", f"the health check of {name} needs a shell"


def test_the_compose_file_contains_no_password() -> None:
    """It contains no default password either. Compose reports a missing variable."""
    for name, value in strings(COMPOSE):
        assert "$" not in VARIABLE.sub("", value), name
        if re.search("(?i)password|token|key", name):
            assert VARIABLE.fullmatch(value) or value.startswith("/run/secrets/"), name
        if "://" in value:
            assert urlsplit(VARIABLE.sub("", value)).password in {None, ""}, name
    assert {".env", "access-tokens"} <= set((ROOT / ".gitignore").read_text().split())


def test_each_process_that_serves_http_needs_access_tokens() -> None:
    [secret] = COMPOSE["secrets"]
    reachable = {name: service for name, service in OURS.items() if "ALLOCATION_HOST" in service["environment"]}
    assert set(reachable) == {"api", "queries"}
    for service in reachable.values():
        assert service["secrets"] == [secret]
        assert service["environment"]["ALLOCATION_ACCESS_TOKENS_FILE"] == f"/run/secrets/{secret}"


def strings(node: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield every string of the file with its name."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from strings(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value, name)
    elif isinstance(node, str):
        yield name, node


def test_only_this_machine_can_reach_the_published_ports() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"api", "queries", "mail"}
    for ports in published.values():
        assert all(port.startswith("127.0.0.1:") for port in ports)


def test_each_service_gets_only_the_stores_that_it_needs() -> None:
    stores = {name: {"DATABASE_URL", "REDIS_URL"} & set(service["environment"]) for name, service in OURS.items()}
    assert stores == {
        "migrate": {"DATABASE_URL"},
        "api": {"DATABASE_URL", "REDIS_URL"},
        "queries": {"REDIS_URL"},
        "relay": {"DATABASE_URL", "REDIS_URL"},
        "consumer": {"DATABASE_URL", "REDIS_URL"},
    }


def test_each_service_waits_only_for_what_it_needs() -> None:
    waits = {name: conditions(service) for name, service in OURS.items()}
    migrated, healthy_redis = {"migrate": "service_completed_successfully"}, {"redis": "service_healthy"}
    assert waits == {
        "migrate": {"postgres": "service_healthy"},
        "api": migrated | {"redis": "service_started"},
        "queries": healthy_redis,
        "relay": migrated | healthy_redis | {"mail": "service_started"},
        "consumer": migrated | healthy_redis,
    }


def conditions(service: Mapping[str, Any]) -> dict[str, str]:
    return {name: dependency["condition"] for name, dependency in service["depends_on"].items()}


def test_every_command_is_a_subcommand_of_allocation() -> None:
    used = {service["command"][0] for service in OURS.values()}
    checks = [service["healthcheck"]["test"][1:] for service in OURS.values() if "healthcheck" in service]
    used |= {words[1] for words in checks if words[0] == "allocation"}
    assert used - set(main.commands) == set()


def test_every_foreign_image_has_a_version() -> None:
    images = [service["image"] for name, service in SERVICES.items() if name not in OURS]
    for image in images:
        assert re.search(r":v?\d", image), image


def test_one_service_builds_our_image_and_none_pulls_it() -> None:
    """Concurrent builds of one image would disturb each other. An image of this name in a registry is not ours."""
    assert {name for name, service in SERVICES.items() if "build" in service} == {"migrate"}
    policies = {name: service["pull_policy"] for name, service in OURS.items()}
    assert policies == {name: "build" if name == "migrate" else "never" for name in OURS}


def test_published_ports_are_the_listening_ports() -> None:
    listening = {name: int(OURS[name]["environment"].get("ALLOCATION_PORT", PORT)) for name in ("api", "queries")}
    published = {name: int(OURS[name]["ports"][0].split(":")[2]) for name in listening}
    checked = {name: urlsplit(url_in(OURS[name]["healthcheck"]["test"][-1])).port for name in listening}
    assert listening == published == checked


def url_in(code: str) -> str:
    [url] = re.findall(r"http://[^\"']+", code)
    return str(url)
