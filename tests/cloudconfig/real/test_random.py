"""The real programs take random nodes with hostile values in every key."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from coreops.cloudconfig.model import Node
from coreops.cloudconfig.targets import TARGETS
from coreops.errors import InputError
from tests.cloudconfig.nodes import nodes
from tests.cloudconfig.real.judges import ask_cloud_init
from tests.cloudconfig.targets.real_ignition import validate

pytestmark = pytest.mark.slow
MANY = int(os.environ.get("COREOPS_EXAMPLES", "50"))


def documents(target: str) -> dict[str, bytes]:
    """Renders of the same random nodes each time, many to be judged at once: by the node that each is made of."""
    found: dict[str, bytes] = {}

    @settings(
        max_examples=MANY,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(nodes())
    def collect(one: Node) -> None:
        try:
            found[repr(one.model_dump(exclude_defaults=True))] = TARGETS[target](one).data
        except InputError:
            return  # keys that fight over a file, and the like

    collect()
    assert len(found) > MANY / 4
    return found


def test_cloud_init_takes_them(tmp_path: Path) -> None:
    said = ask_cloud_init(documents("cloud-init"), tmp_path)
    assert {name: each.errors + each.unknown for name, each in said.items() if each.errors or each.unknown} == {}


def test_ignition_takes_them() -> None:
    said = {name: validate(data) for name, data in documents("ignition").items()}
    assert {name: text for name, text in said.items() if text} == {}
    assert all(json.loads(data)["ignition"] == {"version": "3.3.0"} for data in documents("ignition").values())
