"""Files and folders: what is read, what is passed over, what is refused."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from coreops.errors import ExitCode, InputError
from coreops.inventory import load_inventory
from coreops.inventory.ini_source import parse_ini
from coreops.inventory.sources import parse_yaml, sniff
from tests.inventory.support import refused, write


def test_a_folder_is_read_in_name_order_without_what_is_no_inventory(tmp_path: Path) -> None:
    junk = "this is no inventory [["
    write(
        tmp_path,
        {
            "20-b": "n2\n",
            "10-a.yml": "all: {hosts: {n1: }}\n",
            "sub/more.ini": "n3\n",
            **dict.fromkeys(
                ["known_hosts", "known_hosts.old", "pki/ca.pem", "host_vars/x", "group_vars/x", ".git/x"], junk
            ),
            **dict.fromkeys(
                ["a.md", "a~", "a.bak", "ansible.cfg", "id_ed25519", "k.pem", "k.pub", "x.lock", ".x"], junk
            ),
            "artifacts.lock.yml": junk,
            **dict.fromkeys(["root.json", "1.root.json", "prod-root.json"], junk),
            "ssh_config": junk,
            "key": "-----BEGIN OPENSSH PRIVATE KEY-----\n",
            "id": "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        },
    )
    inventory = load_inventory(tmp_path)
    assert list(inventory.hosts) == ["n1", "n2", "n3"]
    assert inventory.base == tmp_path


def test_a_file_s_folder_is_the_base_and_its_vars_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"inv/hosts": "[a]\nn1\n", "inv/group_vars/a.yml": "x: 1\n", "inv/other.yml": "broken: ["})
    monkeypatch.chdir(tmp_path)
    inventory = load_inventory("inv/hosts")
    assert inventory.base == tmp_path / "inv"
    assert inventory.vars("n1") == {"x": 1}
    assert str(inventory.origin("n1", "x")[0]) == "inv/group_vars/a.yml:1:1"


def test_archives_and_images_beside_an_inventory_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {"hosts.yml": "all: {hosts: {n1: }}\n"})
    for name in [
        "etcd-v3.5.17-linux-amd64.tar.gz",
        "a.tgz",
        "b.zip",
        "c.img",
        "d.tar.zst",
        "e.iso",
        "f.rpm",
        "g.retry",
    ]:
        (tmp_path / name).write_bytes(b"\x1f\x8b\x08\0\xff")
    for name in ["a.tgz.sha256", "b.sha512sums", "c.asc", "notes.txt", "read.rst"]:
        (tmp_path / name).write_text("not = an [inventory\n")
    assert list(load_inventory(tmp_path).hosts) == ["n1"]


def test_what_is_wrong_with_a_foreign_file_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path, {"hosts.yml": "all: {hosts: {n1: }}\n", "etcd": "x"})
    (tmp_path / "etcd").write_bytes(b"\xfe\xed\xfa")
    said = refused(tmp_path)
    assert f"{tmp_path}/etcd:1:1: not UTF-8 text" in said
    assert "if etcd is no inventory, move it out of the folder" in said
    (tmp_path / "etcd").write_text("these are words\n")
    assert "every file of an inventory folder is read as an inventory" in refused(tmp_path)
    assert "move it out of the folder" not in refused(tmp_path / "etcd")
    write(tmp_path, {"etcd": "n2\n", "more.yml": "all: ["})
    assert "move it out of the folder" not in refused(tmp_path)


@pytest.mark.parametrize(
    ("text", "parser"),
    [
        *[
            ("---\nall:", parse_yaml),
            ("# c\n\nall:\n  hosts:", parse_yaml),
            ("{all: {}}", parse_yaml),
            ("a: {}", parse_yaml),
        ],
        *[('"a": {}', parse_yaml), ("my group:", parse_yaml), ("%YAML 1.1", parse_yaml)],
        *[
            ("[a]\nb", parse_ini),
            ("n1", parse_ini),
            ("n1:22", parse_ini),
            ("n[1:3]:22 x=1", parse_ini),
            ("", parse_ini),
        ],
        *[("n1 x='a: b'", parse_ini), ("; c\nn1", parse_ini), ("n1 ansible_host=::1", parse_ini)],
    ],
)
def test_files_without_suffix_are_judged_by_content(text: str, parser: object) -> None:
    assert sniff(text) is parser


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("empty.yml", "", "empty.yml: the inventory has no hosts"),
        ("empty.ini", "[store]\n", "empty.ini: the inventory has no hosts"),
        ("comment", "# nothing\n", "the inventory has no hosts"),
        ("x.toml", "[all]", "TOML inventories are not supported yet"),
        ("bom.yml", "\ufeffall: [", "bom.yml:1:7: not valid YAML"),
        ("tab.yml", "all:\n\thosts:\n", "tab.yml:2:1: not valid YAML"),
        ("nul.ini", "n1\nn\0", "nul.ini:2:2: a NUL character"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    write(tmp_path, {name: text})
    assert message in refused(tmp_path / name)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "hosts.ini"
    path.write_bytes(b"n1\nn2 x=\xff\n")
    assert f"{path}:2:6: not UTF-8 text" in refused(path)


def test_crlf_and_bom_are_fine(tmp_path: Path) -> None:
    (tmp_path / "a.ini").write_bytes(b"\xef\xbb\xbf[a]\r\nn1 x=1\r\n")
    (tmp_path / "b.yml").write_bytes(b"\xef\xbb\xbfall:\r\n  hosts:\r\n    n2: {y: 2}\r\n")
    inventory = load_inventory(tmp_path)
    assert inventory.vars("n1") == {"x": 1}
    assert inventory.vars("n2") == {"y": 2}


@pytest.mark.parametrize(("name", "text"), [("inv", "n1\n"), ("inv.py", "#!/bin/sh\n"), ("inv.sh", "echo\n")])
def test_programs_are_refused_not_run(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path, {name: text})
    (tmp_path / name).chmod(0o755)
    assert "dynamic inventories are not supported yet\n  why: the file is executable" in refused(tmp_path / name)
    assert "dynamic inventories" in refused(tmp_path)


def test_a_shebang_is_a_program_even_without_the_bit(tmp_path: Path) -> None:
    write(tmp_path, {"hosts.yml": "#!/usr/bin/env python3\n"})
    assert "why: the file is a program" in refused(tmp_path / "hosts.yml")


def test_data_on_a_shared_folder_where_every_file_is_executable(tmp_path: Path) -> None:
    write(tmp_path, {"hosts.yml": "all: {hosts: {n1: }}"})
    (tmp_path / "hosts.yml").chmod(0o777)
    assert list(load_inventory(tmp_path).hosts) == ["n1"]


def test_missing_sources_name_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, {"hosts.yml": ""})
    assert "no such inventory\n  next: did you mean 'hosts.yml'?" in refused(tmp_path / "host.yml")
    assert "no such inventory" in refused(tmp_path / "hosts.yml/x")
    assert "write them to a file" in refused(Path("n1,n2"))
    assert "no such inventory" in refused(Path("~no-such-user-here/hosts"))
    assert "no such inventory" in refused(Path("a\0b"))
    assert "cannot read" in refused(Path("x" * 5000))


def test_bad_input_ends_with_exit_code_2(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_inventory(tmp_path)
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    assert "no file in the folder is an inventory" in str(caught.value)


def test_a_link_to_a_folder_above_is_not_followed_forever(tmp_path: Path) -> None:
    write(tmp_path, {"hosts": "n1\n"})
    (tmp_path / "again").symlink_to(tmp_path)
    assert list(load_inventory(tmp_path).hosts) == ["n1"]


def test_a_broken_link_is_named_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {"hosts": "n1\n"})
    (tmp_path / "more").symlink_to(tmp_path / "gone")
    assert f"{tmp_path}/more: a broken link" in refused(tmp_path)


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("[a]\nn1\n",))
    writer.start()
    assert list(load_inventory(path).hosts) == ["n1"]
    writer.join()


def test_a_file_of_100_mb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yml"
    with path.open("wb") as stream:
        stream.truncate(100_000_000)
    with pytest.raises(InputError, match=r"more than 16 MiB(?s:.*)ranges"):
        load_inventory(path)
