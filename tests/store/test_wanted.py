"""The wanted cluster from an inventory: templates in it, hosts that are one machine, versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.inventory import load_inventory
from coreops.store import wanted


def read(folder: Path, text: str) -> wanted.Wanted:
    path = folder / "hosts.yml"
    path.write_text(text)
    return wanted.read(load_inventory(path), path, {})


TEMPLATED = """\
store:
  hosts:
    n1: {last: 11, ansible_host: '{{ net }}.{{ last }}'}
    n2: {last: 12, ansible_host: '{{ net }}.{{ last }}'}
    n3: {last: 13, ansible_host: '{{ net }}.{{ last }}'}
  vars:
    net: 192.0.2
    login: core
    ansible_user: '{{ login }}-{{ inventory_hostname }}'
    etcd_address: '{{ ansible_host }}'
    etcd_data_dir: /var/lib/{{ inventory_hostname }}
    etcd_extra_sans: ['{{ inventory_hostname }}.example.net']
    etcd_flags: {heartbeat-interval: '{{ 50 * 2 }}'}
"""


def test_templates_count_for_connections_and_for_etcd(tmp_path: Path) -> None:
    found = read(tmp_path, TEMPLATED)
    assert [(t.address, t.user, t.become) for t in found.targets.values()] == [
        (f"192.0.2.1{n}", f"core-n{n}", True) for n in (1, 2, 3)
    ]
    first = found.members[0]
    assert (first.address, first.data_dir) == ("192.0.2.11", "/var/lib/n1")
    assert first.extra_sans == ("n1.example.net",)
    assert first.flags["ETCD_HEARTBEAT_INTERVAL"] == "100"


def test_an_undefined_variable_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, TEMPLATED.replace("net: 192.0.2", "nett: 192.0.2"))
    assert f"{tmp_path}/hosts.yml:3:20" in str(caught.value)
    assert "did you mean 'nett'?" in str(caught.value)


def test_two_hosts_that_turn_out_to_be_one_machine(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="hosts n1 and n2 have one address") as caught:
        read(tmp_path, TEMPLATED.replace("last: 12", "last: 11"))
    assert str(caught.value.where) == f"{tmp_path}/hosts.yml:4:20"
    assert f"n1 is at 192.0.2.11 too: {tmp_path}/hosts.yml:3:20" in str(caught.value)
