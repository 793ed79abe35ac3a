"""What a machine is told at birth: read back by the programs that machines have, not by ours."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from coreops.errors import InputError
from coreops.providers.namespace.keys import make_key
from coreops.providers.qemu import birth
from tests.cloudconfig.targets.real_ignition import booted, validate

KEY = make_key("n1")
BIRTH = birth.Birth("n1", "qemu-1-2", "10.78.0.11/24", "52:54:00:01:02:03", KEY, b"#cloud-config\nhostname: n1\n")
IGNITION = json.dumps(
    {
        "ignition": {"version": "3.3.0"},
        "storage": {"files": [{"path": "/etc/motd", "mode": 420, "contents": {"source": "data:,hello"}}]},
    }
).encode()


def test_the_drive_has_the_user_data_and_what_the_provider_adds_beside_it() -> None:
    files = birth.nocloud(BIRTH)
    assert files["user-data"] == BIRTH.user_data
    assert yaml.safe_load(files["meta-data"]) == {"instance-id": "qemu-1-2", "local-hostname": "n1"}
    (card,) = yaml.safe_load(files["network-config"])["ethernets"].values()
    assert card == {"match": {"macaddress": "52:54:00:01:02:03"}, "addresses": ["10.78.0.11/24"]}
    assert files["vendor-data"].startswith(b"#cloud-config\n")
    keys = yaml.safe_load(files["vendor-data"])["ssh_keys"]
    assert keys == {"ed25519_private": KEY.private, "ed25519_public": KEY.public}


@pytest.mark.skipif(not any(map(shutil.which, birth._TOOLS)), reason="no program that makes ISO images")
def test_the_drive_is_one_that_others_read_and_only_its_owner_may(tmp_path: Path) -> None:
    folder = tmp_path / "a 'b' $(c)"
    folder.mkdir()
    birth.write_drive(birth.nocloud(BIRTH), folder / "seed.iso")
    assert [each.name for each in folder.iterdir()] == ["seed.iso"]
    assert (folder / "seed.iso").stat().st_mode & 0o777 == 0o600
    assert (folder / "seed.iso").read_bytes()[32768 + 40 :].startswith(b"cidata ")
    if program := shutil.which("isoinfo"):
        read = subprocess.run([program, "-J", "-x", "/user-data", "-i", folder / "seed.iso"], capture_output=True)
        assert read.stdout == BIRTH.user_data


def test_without_a_tool_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(InputError) as caught:
        birth.tool()
    assert "xorriso" in (caught.value.next or "")


def test_ignition_takes_the_user_data_in() -> None:
    told = json.loads(birth.ignition(replace(BIRTH, user_data=IGNITION)))
    (merged,) = told["ignition"]["config"]["merge"]
    assert base64.b64decode(merged["source"].split(",")[1]) == IGNITION


@pytest.mark.slow
def test_the_real_ignition_applies_both() -> None:
    config = birth.ignition(replace(BIRTH, user_data=IGNITION))
    assert validate(config) == ""
    with booted(config) as root:
        assert (root / "etc/motd").read_text() == "hello"
        assert (root / "etc/ssh/ssh_host_ed25519_key").read_text() == KEY.private
        assert (root / "etc/ssh/ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600
        assert "Address=10.78.0.11/24" in (root / "etc/systemd/network/00-coreops.network").read_text()


@pytest.mark.parametrize(
    "data", [b"", b"#cloud-config\n", b"[]", b"{}", b'{"ignition": {"version": "2.3.0"}}', b"\xff"]
)
def test_what_is_not_ignition_is_bad_input(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        birth.ignition(replace(BIRTH, user_data=data))
    assert caught.value.where == "n1"
    assert caught.value.next
