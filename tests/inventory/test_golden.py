"""What Ansible itself said about tricky inventories (golden/, written by regenerate.py) is what we say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coreops.inventory import Inventory, load_inventory

CASES = sorted(path for path in (Path(__file__).parent / "golden").iterdir() if path.is_dir())


def load(case: Path) -> Inventory:
    inventory = load_inventory(case / "inventory")
    playbooks = case / "playbooks"
    return inventory.with_playbook_dir(playbooks) if playbooks.is_dir() else inventory


@pytest.fixture(params=CASES, ids=lambda path: path.name)
def case(request: pytest.FixtureRequest) -> tuple[Inventory, dict[str, Any]]:
    path: Path = request.param
    return load(path), json.loads((path / "expected.json").read_text())


def test_variables_are_those_of_ansible(case: tuple[Inventory, dict[str, Any]]) -> None:
    inventory, expected = case
    ours = {host: dict(inventory.vars(host)) for host in inventory.match("all")}
    assert {host: values for host, values in ours.items() if values} == expected["hostvars"]


def test_groups_are_those_of_ansible(case: tuple[Inventory, dict[str, Any]]) -> None:
    inventory, expected = case
    ours = {}
    for name, group in inventory.groups.items():
        parts = {"hosts": [] if name == "all" else list(group.hosts), "children": list(group.children)}
        if shown := {key: value for key, value in parts.items() if value}:
            ours[name] = shown
    assert ours == expected["groups"]


def test_patterns_select_what_ansible_selects(case: tuple[Inventory, dict[str, Any]]) -> None:
    inventory, expected = case
    ours = {pattern: list(inventory.match(pattern)) for pattern in expected["patterns"]}
    assert ours == expected["patterns"]
