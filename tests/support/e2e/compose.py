"""The services of docker-compose.yml."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from allocation.config import Settings
from tests.support.paths import ROOT

COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == SERVICES["migrate"]["image"]}
"""The services that run our image."""
LONG_RUNNING = set(SERVICES) - {"migrate"}

VARIABLE = re.compile(r"\$\{(\w+):\?[^}]+\}")
"""A variable that compose reports if it is missing."""
PORT: int = Settings.model_fields["port"].default
