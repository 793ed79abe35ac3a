"""Certificates, and user-data over real TLS."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from coreops.errors import InputError
from coreops.serving import tls
from tests.delivery.serving.machine import BIG, MAC, running, site

NOW = datetime.now(UTC)


def pair(
    folder: Path, name: str, *, begins: int = -1, ends: int = 365, password: bytes | None = None
) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=begins))
        .not_valid_after(NOW + timedelta(days=ends))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, True, True, False, False),
            critical=True,
        )
        .sign(key, SHA256())
    )
    cert, private = folder / f"{name}.pem", folder / f"{name}.key"
    cert.write_bytes(made.public_bytes(Encoding.PEM))
    locked = BestAvailableEncryption(password) if password else NoEncryption()
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    private.chmod(0o600)
    return cert, private


def test_secrets_over_tls_once(tmp_path: Path) -> None:
    cert, key = pair(tmp_path, "web")
    path = f"/user-data?mac={MAC.format(1)}"
    with running(site({"n1": BIG}, secret=("n1",)), tmp_path, tls=tls.context(cert, key)) as one:
        client = ssl.create_default_context(cafile=str(cert))
        assert one.get(path, tls=client)[:2] == (200, BIG)
        assert one.settled("n1") == "served"
        assert one.get(path, tls=client)[0] == 410
        assert f"=https://127.0.0.1:{one.port}/mac/" in one.get(f"/ipxe?mac={MAC.format(1)}", tls=client)[1].decode()
        with pytest.raises(ssl.SSLCertVerificationError):
            one.get(path, tls=ssl.create_default_context())
        with pytest.raises(OSError):  # noqa: PT011
            one.get(path)
        with one.raw() as silent:
            silent.sendall(b"\x16\x03\x01")
            assert one.get(path, tls=client)[0] == 410
    outcomes = [str(each["outcome"]) for each in one.entries()]
    assert "no TLS: http request" in outcomes
    assert "served" in outcomes


def test_a_machine_that_leaves_in_the_middle(tmp_path: Path) -> None:
    cert, key = pair(tmp_path, "web")
    path = f"/user-data?mac={MAC.format(1)}"
    with running(site({"n1": BIG}, secret=("n1",)), tmp_path, tls=tls.context(cert, key)) as one:
        client = ssl.create_default_context(cafile=str(cert))
        with one.raw() as bare, client.wrap_socket(bare, server_hostname="127.0.0.1") as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
            assert connection.recv(100)
        assert one.settled("n1") == "in doubt"
        assert one.get(path, tls=client)[:2] == (200, BIG)


def test_nothing_older_than_tls_1_2(tmp_path: Path) -> None:
    made = tls.context(*pair(tmp_path, "web"))
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2


def test_what_cannot_be_used(tmp_path: Path) -> None:
    cert, key = pair(tmp_path, "web")
    other_cert, other_key = pair(tmp_path, "other")
    locked = pair(tmp_path, "locked", password=b"x")
    noise = tmp_path / "noise"
    noise.write_bytes(b"\0\xff")
    noise.chmod(0o600)
    open_key = tmp_path / "open.key"
    open_key.write_bytes(key.read_bytes())
    open_key.chmod(0o644)
    for pieces, said in (
        ((cert, other_key), "does not belong"),
        ((other_cert, key), "does not belong"),
        (locked, "has a password"),
        (pair(tmp_path, "old", begins=-9, ends=-1), "ended on"),
        (pair(tmp_path, "new", begins=1), "begins on"),
        ((noise, key), "no certificate"),
        ((cert, noise), "cannot be used"),
        ((cert, cert), "cannot be used"),
        ((cert, open_key), "others can read"),
        ((tmp_path / "none", key), "cannot read"),
        ((cert, tmp_path / "none"), "cannot read"),
    ):
        if pieces == (cert, cert):
            cert.chmod(0o600)
        with pytest.raises(InputError) as caught:
            tls.context(*pieces)
        assert said in str(caught.value), pieces


def test_a_renewed_certificate(tmp_path: Path) -> None:
    made = tls.context(*pair(tmp_path, "web"))
    cert, key = pair(tmp_path, "web")
    with running(site({"n1": b"x"}), tmp_path, tls=made) as one:
        client = ssl.create_default_context(cafile=str(cert))
        path = f"/user-data?mac={MAC.format(1)}"
        with pytest.raises(ssl.SSLError):
            one.get(path, tls=client)
        tls.use(made, cert, key)
        assert one.get(path, tls=client)[0] == 200
        with pytest.raises(InputError):
            tls.use(made, cert, pair(tmp_path, "other")[1])
        assert one.get(path, tls=client)[0] == 200


def test_one_that_ends_soon(tmp_path: Path) -> None:
    assert "ends on" in (tls.warning(pair(tmp_path, "soon", ends=3)[0]) or "")
    assert tls.warning(pair(tmp_path, "late")[0]) is None
