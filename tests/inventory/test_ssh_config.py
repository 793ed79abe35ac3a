from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.inventory import load_inventory
from coreops.inventory.imported import import_hosts
from coreops.inventory.ssh_config import known_hosts, parse
from coreops.inventory.target import target

VAGRANT = """\
Host core-01
  HostName 127.0.0.1
  User core
  Port 2222
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  PasswordAuthentication no
  IdentityFile "/home/me/my labs/it's/id_ed25519"
  IdentitiesOnly yes
  LogLevel FATAL

Host core-02
  HostName 192.168.121.7
  User core
  Port 22
  IdentityFile /keys/a
  IdentityFile /keys/b

Host *
  User nobody
"""
KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519" + bytes(36)).decode()


def test_what_vagrant_prints() -> None:
    first, second = parse(VAGRANT, "stdin")
    assert (first.name, first.address, first.port, first.user) == ("core-01", "127.0.0.1", 2222, "core")
    assert first.identity_files == ("/home/me/my labs/it's/id_ed25519",)
    assert (second.address, second.port, second.identity_files) == ("192.168.121.7", 22, ("/keys/a", "/keys/b"))


def test_host_keys_are_known_by_what_is_connected_to() -> None:
    text = known_hosts(parse(VAGRANT, "stdin"), {"core-01": f"{KEY} root@core-01\n\n", "core-02": KEY})
    assert text == f"[127.0.0.1]:2222 {KEY}\n192.168.121.7 {KEY}\n"


@pytest.mark.parametrize("bad", ["x", "ssh-ed25519", "ssh-ed25519 !!", f"@cert-authority {KEY}", KEY[:20], f"* {KEY}"])
def test_what_is_no_host_key_is_refused(bad: str) -> None:
    with pytest.raises(InputError, match="not a host key"):
        known_hosts(parse(VAGRANT, "stdin"), {"core-01": bad})


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", "ssh_config", "there is no host in it"),
        ("Host *\n  User x\n", "ssh_config", "there is no host in it"),
        ("Host a\n  HostName 'b\n", "ssh_config:2", "a line of ssh_config is not understood"),
        ("Host a\n  Port x\n", "ssh_config:1", "'x' is not a port"),
        ("Host a\n  Port 65536\n", "ssh_config:1", "is not a port"),
        ("Host a\n  HostName -oProxyCommand=id\n", "ssh_config:1", "is not an address"),
        ("Host a\n  HostName 'a b'\n", "ssh_config:1", "is not an address"),
        ("Host $(id)\n", "ssh_config:1", "'$(id)'"),
        ("Host -oProxyCommand=id\n", "ssh_config:1", "'-oProxyCommand=id'"),
        ("Match all\n", "ssh_config:1", "Match is not understood"),
        ("Host a\nInclude b\n", "ssh_config:2", "Include is not understood"),
    ],
)
def test_bad_input_is_refused_where_it_stands(text: str, where: str, what: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, "ssh_config")
    assert caught.value.where == where
    assert what in caught.value.what


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text, "ssh_config")
    except InputError as error:
        assert error.where  # noqa: PT017


def imported(folder: Path, text: str = VAGRANT, keys: bool = True, group: str = "") -> Path:
    (folder / "config").write_text(text)
    if keys:
        (folder / "keys").mkdir(exist_ok=True)
        for name in ("core-01", "core-02"):
            (folder / f"keys/{name}.pub").write_text(f"{KEY} root@{name}\n")
    import_hosts(folder / "config", folder / "inv", group=group, host_keys=folder / "keys" if keys else None)
    return folder / "inv"


def test_coreops_reaches_what_was_imported_strictly(tmp_path: Path) -> None:
    text = VAGRANT.replace("/home/me/my labs/it's", str(tmp_path))
    (tmp_path / "id_ed25519").touch()
    found = target(load_inventory(imported(tmp_path, text)), "core-01")
    assert (found.address, found.port, found.user) == ("127.0.0.1", 2222, "core")
    assert found.identity_files == (tmp_path / "id_ed25519",)
    assert found.known_hosts[0] == tmp_path / "inv" / "known_hosts.imported"
    assert not found.accept_new
    assert not found.ssh_args


def test_a_group_can_be_named(tmp_path: Path) -> None:
    assert load_inventory(imported(tmp_path, group="store")).members("store") == ("core-01", "core-02")


def test_a_proxy_command_goes_to_the_ssh_program(tmp_path: Path) -> None:
    text = "Host a\n  ProxyCommand ssh -W %h:%p 'jump host'\nHost b\n  ProxyJump me@jump:2222\n"
    inventory = load_inventory(imported(tmp_path, text, keys=False))
    assert target(inventory, "a").transport == "openssh"
    assert target(inventory, "a").ssh_args == ("-o", "ProxyCommand=ssh -W %h:%p 'jump host'")
    assert target(inventory, "b").proxy_jump == "me@jump:2222"


def test_a_host_without_its_key_stops_all(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "config").write_text(VAGRANT)
    with pytest.raises(InputError, match="its host keys are not known"):
        import_hosts(tmp_path / "config", tmp_path / "inv", host_keys=tmp_path / "keys")
    assert not (tmp_path / "inv").exists()


def test_a_file_of_somebody_else_stays(tmp_path: Path) -> None:
    (tmp_path / "inv").mkdir()
    (tmp_path / "inv/ssh.yml").write_text("mine\n")
    with pytest.raises(InputError, match="would be overwritten"):
        imported(tmp_path)
    assert (tmp_path / "inv/ssh.yml").read_text() == "mine\n"


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        import_hosts(tmp_path / "none", tmp_path)
