"""How to reach a host: coreops's names, Ansible's names, the command line's defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.inventory import Inventory, load_inventory, target
from coreops.inventory.aliases import ALIASES
from coreops.model import Position, Target
from tests.inventory.support import from_yaml, write

HOME_KEYS = Path("~/.ssh/known_hosts").expanduser()


def reach(variables: dict[str, Any], **defaults: Any) -> Target:
    return target(of(variables), "n1", **defaults)


def of(variables: dict[str, Any]) -> Inventory:
    return from_yaml(yaml.safe_dump({"all": {"hosts": {"n1": variables}}}))


def test_a_bare_host_is_reached_by_its_name() -> None:
    assert reach({}) == Target(name="n1", address="n1", known_hosts=(HOME_KEYS,))


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("address", "10.0.0.1", "10.0.0.1"),
        ("port", 2222, 2222),
        ("port", "2222", 2222),
        ("user", "core", "core"),
        ("proxy_jump", "me@jump:22", "me@jump:22"),
        ("proxy_jump", ["a", "b"], "a,b"),
        ("proxy_jump", "none", None),
        ("transport", "openssh", "openssh"),
        ("transport", "local", "local"),
        ("transport", "ssh", "paramiko"),
        ("become", "yes", True),
        ("become", False, False),
        ("become_password", "s3 cret", "s3 cret"),
        ("connect_timeout", 7, 7.0),
    ],
)
def test_every_name_of_a_setting_means_the_same(field: str, value: Any, expected: Any) -> None:
    for name in ALIASES[field]:
        assert getattr(reach({name: value}), field) == expected, name


def test_defaults_count_only_where_the_inventory_is_silent() -> None:
    defaults: dict[str, Any] = {
        "user": "root",
        "port": 22,
        "become": True,
        "connect_timeout": 3.0,
        "transport": "openssh",
    }
    said = {"ansible_user": "core", "ansible_port": 2222, "ansible_become": False, "ansible_connection": "local"}
    silent, loud = reach({}, **defaults), reach(said, **defaults)
    assert (silent.user, silent.port, silent.become, silent.transport) == ("root", 22, True, "openssh")
    assert silent.connect_timeout == 3.0
    assert (loud.user, loud.port, loud.become, loud.transport) == ("core", 2222, False, "local")
    assert reach({"ansible_connection": "ssh"}, **defaults).transport == "openssh"


def test_plain_words_are_the_user_s_own_variables() -> None:
    assert reach({"port": 8080, "user": "deploy", "address": "0.0.0.0", "transport": "tcp"}) == reach({})


def test_two_names_that_disagree_name_both_places() -> None:
    inventory = from_yaml("all:\n  hosts:\n    n1: {ansible_host: 10.0.0.1}\n  vars:\n    coreops_address: 10.0.0.2\n")
    with pytest.raises(InputError) as caught:
        target(inventory, "n1")
    assert str(caught.value).startswith("f:5:5: coreops_address and ansible_host of host 'n1' differ\n")
    assert "ansible_host is set at f:3:10" in str(caught.value)
    assert reach({"ansible_port": 22, "coreops_port": "22"}).port == 22


def test_a_disagreement_of_passwords_does_not_show_them() -> None:
    with pytest.raises(InputError) as caught:
        reach({"ansible_become_pass": "hunter1", "ansible_become_password": "hunter2"})
    assert "hunter" not in str(caught.value)
    assert "hunter1" not in repr(reach({"ansible_become_pass": "hunter1"}))


def test_keys_and_known_hosts_beside_the_inventory(tmp_path: Path) -> None:
    write(tmp_path, {"hosts": "n1 ansible_ssh_private_key_file=keys/id\nn2\n", "keys/id": "k"})
    assert target(load_inventory(tmp_path), "n1").identity_files == (tmp_path / "keys/id",)
    assert target(load_inventory(tmp_path), "n2").known_hosts == (HOME_KEYS,)
    recorded = (tmp_path / "known_hosts", HOME_KEYS)
    assert target(load_inventory(tmp_path), "n2", accept_new=True).known_hosts == recorded
    write(tmp_path, {"known_hosts": ""})
    assert target(load_inventory(tmp_path), "n2").known_hosts == recorded


def test_key_files_from_every_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"inv/hosts.yml": "all: {hosts: {n1: }}", "home/k1": "", "inv/k2": "", "k3": ""})
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    base = load_inventory(tmp_path / "inv/hosts.yml")
    assert target(base, "n1", identity_files=(tmp_path / "k3",)).identity_files == (tmp_path / "k3",)
    write(
        tmp_path,
        {"inv/host_vars/n1.yml": f"coreops_identity_file: ['~/k1', k2]\nansible_ssh_common_args: -i {tmp_path}/k3"},
    )
    keys = target(load_inventory(tmp_path / "inv/hosts.yml"), "n1").identity_files
    assert keys == (tmp_path / "home/k1", tmp_path / "inv/k2", tmp_path / "k3")


def test_a_missing_key_is_named_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"inv/hosts": "n1 ansible_ssh_private_key_file=id\n", "id": ""})
    with pytest.raises(InputError) as caught:
        target(load_inventory(tmp_path / "inv"), "n1")
    assert f"{tmp_path}/inv/hosts:1:4: the key file '{tmp_path}/inv/id' of host 'n1' is missing" in str(caught.value)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="a relative path belongs to the inventory's folder"):
        target(load_inventory(tmp_path / "inv"), "n1")


def test_ssh_arguments_become_fields_for_paramiko() -> None:
    args = "-o ProxyJump=j1,j2 -p 2222 -o 'User core' -o ConnectTimeout=4 -o UserKnownHostsFile=/kh"
    args += " -o ControlMaster=auto -C"
    found = reach({"ansible_ssh_common_args": args})
    assert (found.proxy_jump, found.port, found.user) == ("j1,j2", 2222, "core")
    assert found.known_hosts == (Path("/kh"), HOME_KEYS)
    assert found.ssh_args == ()
    assert found.connect_timeout == 4.0


def test_ssh_arguments_stay_as_written_for_openssh() -> None:
    found = reach({"ansible_connection": "openssh", "ansible_ssh_common_args": "-o ProxyCommand='nc -x p %h %p' -J j"})
    assert found.ssh_args == ("-o", "ProxyCommand=nc -x p %h %p", "-J", "j")
    assert found.proxy_jump == "j"


def test_ssh_arguments_may_be_a_list_and_come_in_ansible_s_order() -> None:
    variables = {
        "ansible_connection": "openssh",
        "ansible_ssh_extra_args": "-o C=3",
        "ansible_ssh_args": "-o A=1",
        "coreops_ssh_args": ["-o", "B=2 x"],
    }
    assert reach(variables).ssh_args == ("-o", "A=1", "-o", "B=2 x", "-o", "C=3")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ansible_port": 0}, "0 is not a port"),
        ({"ansible_port": "ssh"}, "'ssh' is not a port"),
        ({"ansible_port": 22.5}, "22.5 is not a port"),
        ({"ansible_port": True}, "True is not a port"),
        ({"ansible_host": "-oProxyCommand=x"}, "'-oProxyCommand=x' cannot be the address"),
        ({"ansible_host": "a b"}, "cannot be the address"),
        ({"ansible_host": ""}, "cannot be the address"),
        ({"ansible_host": ["a"]}, "cannot be the address"),
        ({"ansible_user": "-l"}, "'-l' cannot be the user"),
        ({"ansible_user": "a\nb"}, "cannot be the user"),
        ({"coreops_proxy_jump": "-x"}, "cannot be the jump host"),
        ({"coreops_proxy_jump": "a", "ansible_ssh_common_args": "-J b"}, "name different jump hosts"),
        ({"ansible_connection": "docker"}, "unknown transport 'docker'\n  next: use paramiko, openssh or local"),
        ({"ansible_connection": "opensssh"}, "did you mean 'openssh'?"),
        ({"ansible_become": "maybe"}, "'maybe' is neither true nor false"),
        ({"ansible_become_method": "doas"}, "only sudo is supported"),
        ({"ansible_timeout": "soon"}, "'soon' is not a timeout"),
        ({"ansible_timeout": 0}, "0 is not a timeout"),
        ({"ansible_timeout": float("inf")}, "is not a timeout"),
        ({"ansible_password": "x"}, "passwords for the login are not supported"),
        ({"ansible_host_key_checking": False}, "host keys are always checked"),
        ({"ansible_ssh_common_args": "-o StrictHostKeyChecking=no"}, "StrictHostKeyChecking=no is refused"),
        ({"ansible_ssh_extra_args": "-o UserKnownHostsFile=/dev/null"}, "UserKnownHostsFile=/dev/null is refused"),
        (
            {"ansible_ssh_common_args": "-o ProxyCommand=nc"},
            "the paramiko transport cannot honour '-o ProxyCommand=nc'",
        ),
        ({"ansible_ssh_common_args": "-o ProxyCommand=nc"}, "next: set coreops_transport: openssh"),
        ({"ansible_ssh_common_args": "'"}, "ssh arguments cannot be split"),
        ({"ansible_ssh_common_args": "-p x"}, "'x' is not a port"),
        ({"coreops_identity_file": "~no-such-user/id"}, "is missing"),
        ({"ansible_host": "{{ ip }}"}, "ansible_host of host 'n1' holds a template"),
    ],
)
def test_bad_values_are_refused_with_their_place(variables: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        reach(variables)
    assert message in str(caught.value)
    assert caught.value.where is not None
    assert caught.value.where.startswith("f:")


def test_openssh_too_may_not_weaken_host_keys() -> None:
    with pytest.raises(InputError, match="is refused"):
        reach({"ansible_connection": "openssh", "ansible_ssh_common_args": "-oStrictHostKeyChecking=accept-new"})


def test_templates_are_rendered_with_their_place() -> None:
    seen: list[tuple[str, Position]] = []

    def render(text: str, where: Position) -> str:
        seen.append((text, where))
        return "10.0.0.9"

    assert reach({"ansible_host": "{{ ip }}"}, render=render).address == "10.0.0.9"
    assert seen == [("{{ ip }}", Position("f", 4, 7))]


@given(
    st.dictionaries(st.sampled_from([n for names in ALIASES.values() for n in names]), st.text(max_size=8), max_size=3)
)
def test_no_value_is_a_traceback_or_reaches_ssh_as_an_option(variables: dict[str, str]) -> None:
    try:
        found = reach(variables)
    except InputError:
        return
    for word in (found.address, found.user, found.proxy_jump):
        assert word is None or (word[:1] != "-" and word.isprintable())
