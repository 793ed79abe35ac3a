"""Which image a node boots: an AMI that its variables name, or what an SSM parameter holds today."""

from __future__ import annotations

import json
import threading

from coreops.errors import CoreopsError
from coreops.providers.ec2.clients import Clients
from coreops.providers.ec2.settings import Settings


class Images:
    """Asks for a parameter once per region, so that all nodes of a run get the same image."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._known: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def of(self, settings: Settings, node: str) -> str:
        """Return the AMI. botocore's errors pass."""
        parameter = settings.ami_parameter
        if parameter is None:
            return settings.image_id() or ""
        with self._lock:
            key = settings.region, parameter
            if key not in self._known:
                answer = self._clients.of("ssm", settings.region).get_parameter(Name=parameter)
                self._known[key] = _ami(answer["Parameter"]["Value"], parameter, node)
            return self._known[key]


def _ami(value: str, parameter: str, node: str) -> str:
    """The parameter's value: an AMI, or JSON with ``image_id`` in it, as ECS's parameters are."""
    found = value.strip()
    if found.startswith("{"):
        try:
            found = str(json.loads(found).get("image_id", ""))
        except json.JSONDecodeError:
            found = ""
    if not found.startswith("ami-"):
        raise CoreopsError(
            f"the SSM parameter {parameter} holds no AMI",
            where=node,
            why=f"it holds {value[:60]!r}",
            next="name a parameter whose value is an AMI, or JSON with image_id",
        )
    return found
