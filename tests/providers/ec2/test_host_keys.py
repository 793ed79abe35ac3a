"""Keys out of consoles: as cloud-init prints them, torn, mixed, contradicting."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import RefusedError
from coreops.providers.ec2.host_keys import host_keys


def public(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


ED25519 = public(ed25519.Ed25519PrivateKey.from_private_bytes(b"1" * 32))
OTHER = public(ed25519.Ed25519PrivateKey.from_private_bytes(b"2" * 32))
ECDSA = public(ec.derive_private_key(7, ec.SECP256R1()))


def printed(keys: list[str], name: str = " root@n1") -> str:
    lines = "\n".join(key + name for key in keys)
    return f"-----BEGIN SSH HOST KEY KEYS-----\n{lines}\n-----END SSH HOST KEY KEYS-----\n"


def test_keys_are_found_among_other_lines() -> None:
    console = f"[    1.2] Linux\r\n{printed([ECDSA, ED25519])}n1 login: "
    assert host_keys(console, "n1") == (ECDSA, ED25519)
    assert host_keys(console.replace("\n", "\r\n"), "n1") == (ECDSA, ED25519)
    assert host_keys(console.replace("\necdsa", "\n[   3.1] cloud-init[402]: ecdsa"), "n1") == (ECDSA, ED25519)


def test_a_block_that_is_not_whole_yet_has_none() -> None:
    whole = printed([ED25519])
    assert all(host_keys(whole[:cut], "n1") == () for cut in range(len(whole) - 2))


def test_keys_outside_a_block_do_not_count() -> None:
    assert host_keys(f"{ED25519} root@n1\n", "n1") == ()


def test_a_torn_line_is_no_key() -> None:
    algorithm, blob = ED25519.split()
    for bad in (blob[:44], blob[:48] + "[12.3] eth0" + blob[48:], blob[:-4] + "AAAAAAAA", "A" * 68):
        assert host_keys(printed([f"{algorithm} {bad}", ECDSA]), "n1") == (ECDSA,)
    assert host_keys(printed([f"ssh-rsa {blob}"]), "n1") == ()


def test_twice_the_same_is_one_and_another_is_refused() -> None:
    assert host_keys(printed([ED25519]) * 2, "n1") == (ED25519,)
    with pytest.raises(RefusedError, match="two different ssh-ed25519 host keys"):
        host_keys(printed([ED25519]) + printed([OTHER]), "n1")


@given(st.text(), st.text())
def test_noise_around_changes_nothing(before: str, after: str) -> None:
    noise = "KEYS-----"
    if noise not in before + after:
        assert host_keys(before + printed([ED25519]) + after, "n1") == (ED25519,)


@given(st.binary(max_size=80))
def test_only_keys_are_keys(raw: bytes) -> None:
    blob = base64.b64encode(raw).decode()
    for line in host_keys(printed([f"ssh-ed25519 {blob}"]), "n1"):
        assert raw.startswith(b"\0\0\0\x0bssh-ed25519")
        assert line.endswith(blob)
