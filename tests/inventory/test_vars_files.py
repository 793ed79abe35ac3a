"""group_vars/ and host_vars/: mistakes in them are named like those of the inventory."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.inventory import load_inventory
from tests.inventory.support import refused, write


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("group_vars/all.yml", "- a\n", "group_vars/all.yml:1:1: variables must be a mapping"),
        ("group_vars/all.yml", "text", "variables must be a mapping"),
        ("group_vars/all.yml", "a: 1\na: 2\n", "group_vars/all.yml:2:1: duplicate key 'a'"),
        ("group_vars/all", "a: [\n", "group_vars/all:1:5: not valid YAML"),
        ("group_vars/all.yml", "1: a\n", "group_vars/all.yml:1:1: the variable name 1 is not text"),
        ("group_vars/all.yml", '"a\\e[31m": 1\n', "group_vars/all.yml:1:1: 'a\\x1b[31m' is not a variable name"),
        ("group_vars/all.yml", "ansible-port: 1\n", "did you mean 'ansible_port'?"),
        ("group_vars/all.yml", "[a]: 1\n", "a mapping or list cannot be a key"),
        ("host_vars/n1.yml", "$ANSIBLE_VAULT;1.1;AES256\n6162\n", "files encrypted with ansible-vault"),
        ("host_vars/n1/x.yml", "a: !vault x\n", "host_vars/n1/x.yml:1:4: the tag !vault is not supported"),
        ("host_vars/n1.json", "{", "host_vars/n1.json:1:2: not valid YAML"),
    ],
)
def test_mistakes_say_where(tmp_path: Path, name: str, text: str, message: str) -> None:
    write(tmp_path, {"hosts": "n1\n", name: text})
    assert message in refused(tmp_path)


def test_files_of_other_names_are_never_opened(tmp_path: Path) -> None:
    broken = {"group_vars/other.yml": "a: [", "host_vars/n2.yml": "a: [", "host_vars/n1.toml": "a: ["}
    write(tmp_path, {"hosts": "n1\n", **broken})
    assert load_inventory(tmp_path).vars("n1") == {}


def test_empty_files_and_odd_folders_are_no_mistake(tmp_path: Path) -> None:
    write(
        tmp_path, {"hosts": "[a]\nn1\n", "group_vars/a.yml": "", "group_vars/all.yml": "---\n", "host_vars": "a file"}
    )
    assert load_inventory(tmp_path).vars("n1") == {}
