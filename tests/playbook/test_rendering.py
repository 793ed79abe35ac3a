from __future__ import annotations

import pytest

from coreops.errors import InputError
from coreops.inventory import load_inventory, target
from coreops.model import Position
from coreops.playbook.rendering import host_renderer


def test_a_templated_address(tmp_path):
    path = tmp_path / "hosts.ini"
    path.write_text(
        "[web]\nn[1:2] number=7\n[web:vars]\nzone=example.net\n"
        "ansible_host='{{ inventory_hostname }}.{{ group_names[0] }}.{{ zone }}'\n"
    )
    inventory = load_inventory(path)
    assert target(inventory, "n2", render=host_renderer(inventory, "n2")).address == "n2.web.example.net"


def test_an_undefined_name_says_where_and_what_was_meant(tmp_path):
    path = tmp_path / "hosts.ini"
    path.write_text("n1 zone=a\n")
    inventory = load_inventory(path)
    with pytest.raises(InputError, match="'zona' is not defined") as caught:
        host_renderer(inventory, "n1")("{{ zona }}", Position("hosts.ini", 1, 4))
    assert "zone" in str(caught.value)
    assert "hosts.ini:1:4" in str(caught.value)
