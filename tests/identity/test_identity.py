from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import HostFailed
from coreops.identity import identity
from coreops.model import Record

ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBUSOOQihrybCCUCKjdtu0FUVObTw4Fb61RbS9hj6ACi"


def test_this_machine_says_who_it_is() -> None:
    done = subprocess.run(["sh", "-c", identity.script()], capture_output=True, text=True, check=True)
    found = identity.parse(done.stdout)
    assert len(found.machine_id) == 32
    assert found.boot_id
    assert found.hostname
    assert not any(each.startswith(("127.", "fe80")) or each == "::1" for each in found.addresses)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_every_sh_runs_it(shell: str) -> None:
    argv = [shell, *(["sh"] if shell == "busybox" else []), "-euc", identity.script() + "echo end"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip(f"no {shell}")
    assert done.stdout.endswith("end\n")


def test_what_is_said() -> None:
    found = identity.parse(
        f"machine_id {'a' * 32}\nhostname n1\nmac 52:54:00:AA:bb:01\nmac 00:00:00:00:00:00\nip 127.0.0.1\n"
        "ip 192.0.2.1\n"
        f"ip6 20010db8000000000000000000000001\nip6 fe800000000000000000000000000001\nkey {ED} someone\n"
    )
    assert found.macs == ("52:54:00:aa:bb:01",)
    assert found.addresses == ("192.0.2.1", "2001:db8::1")
    assert found.keys[0].line == ED
    assert found.keys[0].fingerprint.startswith("SHA256:")


@pytest.mark.parametrize("text", ["ssh-rsa " + ED.split()[1], "ssh-ed25519 !", "", "-oProxyCommand=x AAAA"])
def test_what_is_no_key(text: str) -> None:
    assert identity.host_key(text) is None


@given(st.text())
def test_nonsense_is_nobody(text: str) -> None:
    found = identity.parse(text)
    assert found.macs == ()
    assert found.keys == ()


def test_who_does_not_say_is_told() -> None:
    with pytest.raises(HostFailed, match="did not say who it is"):
        identity.read(Record(identity.STEP, "ok", 0, b"hostname n1\n", b""), "n1")
