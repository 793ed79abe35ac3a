"""What was learned of machines: weaker than every variable, and gone when the inventory is asked as it is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.inventory import load_inventory, target
from coreops.inventory.machines import FILE

BOTH = {"private_ipv4": "10.0.0.1", "public_ipv4": "192.0.2.1"}


def write(folder: Path, hosts: str, machines: object) -> Path:
    (folder / "hosts.yml").write_text(f"all: {{hosts: {hosts}}}\n")
    (folder / FILE).parent.mkdir()
    (folder / FILE).write_text(json.dumps(machines))
    return folder


def known(**addresses: dict[str, str]) -> object:
    made = {"provider": "command", "cluster": "c", "id": "i-1"}
    return {"format": 1, "machines": {node: {**made, "addresses": each} for node, each in addresses.items()}}


@pytest.mark.parametrize(
    ("variables", "addresses", "reached"),
    [
        ("", BOTH, "192.0.2.1"),
        ("", {"private_ipv4": "10.0.0.1"}, "10.0.0.1"),
        ("", {"private_ipv6": "fd00::1", "public_ipv6": "2001:db8::1"}, "2001:db8::1"),
        ("", {"public_ipv6": "2001:db8::1", "public_ipv4": "192.0.2.1"}, "192.0.2.1"),
        ("coreops_proxy_jump: jump", BOTH, "10.0.0.1"),
        ("ansible_host: n1.example.net", BOTH, "n1.example.net"),
        ("coreops_address: n1.example.net", BOTH, "n1.example.net"),
        ("", {}, "n1"),
    ],
)
def test_how_ssh_reaches_a_machine(tmp_path: Path, variables: str, addresses: dict[str, str], reached: str) -> None:
    inventory = load_inventory(write(tmp_path, f"{{n1: {{{variables}}}}}", known(n1=addresses)))
    assert target(inventory, "n1").address == reached


def test_what_is_written_wins_and_has_its_origin(tmp_path: Path) -> None:
    inventory = load_inventory(write(tmp_path, "{n1: {private_ipv4: 10.9.9.9}, n2: {}}", known(n1=BOTH, gone=BOTH)))
    assert inventory.vars("n1") == {**BOTH, "private_ipv4": "10.9.9.9", "ansible_host": "192.0.2.1"}
    assert [Path(place.file).name for place in inventory.origin("n1", "private_ipv4")] == ["hosts.yml", FILE.name]
    assert inventory.origin("n1", "ansible_host")[0].file.endswith(str(FILE))
    assert inventory.vars("n2") == {}
    assert inventory.match("all") == ("n1", "n2")
    assert inventory.as_written().vars("n1") == {"private_ipv4": "10.9.9.9"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        '{"format": 2}',
        '{"format": 1}',
        '{"format":1,"machines":[1]}',
        '{"format":1,"machines":{"a":{}}}',
    ],
)
def test_a_broken_file_is_one_error(tmp_path: Path, text: str) -> None:
    write(tmp_path, "{n1: {}}", {})
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match=r"machines\.json: cannot be understood"):
        load_inventory(tmp_path)
