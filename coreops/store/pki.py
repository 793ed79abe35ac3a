"""The cluster's own certificate authority and the certificates it issues. Knows names, addresses and files under one
folder on the controller; no SSH, no etcd.

``load`` reads what is there and makes, in memory, whatever is missing or out of date; ``save`` writes it. Certificates
that are still right stay byte-identical. The CA's key never leaves the folder: ``staged`` lends everything else.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from coreops.errors import InputError
from coreops.store.leaf import Leaf as Leaf

CA_DAYS = 3650
LEAF_DAYS = 365
RENEW_DAYS = 30


@dataclass(frozen=True, slots=True)
class Pki:
    """The folder, its whole wanted content, and what has to be written to get there (with the reasons)."""

    root: Path
    files: Mapping[str, bytes] = field(repr=False)
    pending: frozenset[str]
    reasons: tuple[str, ...]

    @property
    def authority(self) -> x509.Certificate:
        """The CA's certificate."""
        return x509.load_pem_x509_certificate(self.files["ca.crt"])

    def expires(self, file: str) -> datetime:
        """When the certificate of a leaf ends."""
        return x509.load_pem_x509_certificate(self.files[f"{file}.crt"]).not_valid_after_utc

    @property
    def token(self) -> str:
        """A cluster token that is unique to this CA and stays with it."""
        return "coreops-" + self.authority.fingerprint(hashes.SHA256()).hex()[:16]


def load(root: Path, leaves: Sequence[Leaf], now: datetime | None = None) -> Pki:
    """Read the folder and make what is missing. Writes nothing. Raises InputError for a CA that cannot be used."""
    now = now or datetime.now(UTC)
    files: dict[str, bytes] = {}
    reasons: list[str] = []
    authority, key = _authority(root, now, files, reasons)
    for leaf in leaves:
        old_cert, old_key = _read(root / f"{leaf.file}.crt"), _read(root / f"{leaf.file}.key")
        why = _outdated(leaf, old_cert, old_key, authority, now)
        if why is None:
            cert, secret = old_cert, old_key
        else:
            cert, secret = _issue(leaf, authority, key, now)
            reasons.append(f"{leaf.name}: {why}")
        files[f"{leaf.file}.key"], files[f"{leaf.file}.crt"] = secret or b"", cert or b""
    pending = frozenset(name for name, data in files.items() if _read(root / name) != data)
    return Pki(root, files, pending, tuple(reasons))


def save(pki: Pki) -> None:
    """Write what is pending: the CA first, keys before certificates, each file atomically."""
    for name in sorted(pki.pending, key=lambda n: (not n.startswith("ca."), not n.endswith(".key"), n)):
        _write(pki.root / name, pki.files[name])


@contextlib.contextmanager
def staged(pki: Pki) -> Iterator[Path]:
    """A folder that holds everything but the CA's key: the real one when nothing is pending, else a private copy."""
    if not pki.pending:
        yield pki.root
        return
    with tempfile.TemporaryDirectory(prefix="coreops-pki-") as folder:
        for name, data in pki.files.items():
            if name != "ca.key":
                _write(Path(folder) / name, data)
        yield Path(folder)


def _authority(
    root: Path, now: datetime, files: dict[str, bytes], reasons: list[str]
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    cert_pem, key_pem = _read(root / "ca.crt"), _read(root / "ca.key")
    if cert_pem is None and key_pem is None:
        key = ec.generate_private_key(ec.SECP256R1())
        cert = _self_signed(key, now)
        reasons.append("a new certificate authority")
        files["ca.key"], files["ca.crt"] = _key_pem(key), cert.public_bytes(serialization.Encoding.PEM)
        return cert, key
    if cert_pem is None and not any(root.rglob("*.crt")):
        cert_pem = _interrupted(root, now, reasons)
        files["ca.crt"] = cert_pem
    if cert_pem is None or key_pem is None:
        missing = root / ("ca.crt" if cert_pem is None else "ca.key")
        raise InputError(
            "half of the certificate authority is missing",
            where=missing,
            why="its other half is there, and a new authority would lock every node out of the cluster",
            next="restore the file from a backup; or, for a cluster that does not exist yet, move the folder away",
        )
    _check_private(root / "ca.key")
    try:
        cert = x509.load_pem_x509_certificate(cert_pem)
        loaded = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError) as error:
        raise InputError(
            "the certificate authority cannot be read", where=root, why=str(error), next="restore ca.crt and ca.key"
        ) from error
    if not isinstance(loaded, ec.EllipticCurvePrivateKey) or loaded.public_key() != cert.public_key():
        raise InputError("ca.key does not belong to ca.crt", where=root, next="restore the pair from one backup")
    if cert.not_valid_after_utc <= now + timedelta(days=RENEW_DAYS):
        raise InputError(
            f"the certificate authority ends on {cert.not_valid_after_utc:%Y-%m-%d}",
            where=root / "ca.crt",
            why="replacing it means trusting both authorities for a while, which bootstrap does not do",
            next="renew the authority's certificate with the same key",
        )
    files["ca.key"], files["ca.crt"] = key_pem, cert_pem
    return cert, loaded


def _interrupted(root: Path, now: datetime, reasons: list[str]) -> bytes:
    """Nothing was issued yet: a first ``save`` died after the key. Sign with the key that is there."""
    key = serialization.load_pem_private_key((root / "ca.key").read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InputError("ca.key is not an elliptic-curve key", where=root / "ca.key", next="move the folder away")
    reasons.append("a new certificate authority")
    return _self_signed(key, now).public_bytes(serialization.Encoding.PEM)


def _check_private(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise InputError(
            "the key of the certificate authority can be read by others",
            where=path,
            why=f"its mode is {mode:04o}; whoever has this key controls the cluster",
            next=f"chmod 600 {path}, or move the folder away and bootstrap anew if the key may have leaked",
        )


def _outdated(
    leaf: Leaf, cert_pem: bytes | None, key_pem: bytes | None, authority: x509.Certificate, now: datetime
) -> str | None:
    """Why this certificate must be issued again, or None."""
    if cert_pem is None or key_pem is None:
        return "a new certificate"
    try:
        cert = x509.load_pem_x509_certificate(cert_pem)
        key = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError):
        return "the certificate could not be read"
    if key.public_key() != cert.public_key():
        return "key and certificate did not match"
    try:
        cert.verify_directly_issued_by(authority)
    except Exception:  # any way of not being signed by this CA
        return "it was issued by another authority"
    if cert.not_valid_after_utc <= now + timedelta(days=RENEW_DAYS):
        return f"it ends on {cert.not_valid_after_utc:%Y-%m-%d}"
    have, want = _sans_of(cert), _general_names(leaf.sans)
    if have != want:
        texts = [f"+{_text(n)}" for n in want if n not in have] + [f"-{_text(n)}" for n in have if n not in want]
        return "its names changed: " + (", ".join(texts) or "their order")
    names = cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if not names or names[0].value != _common_name(leaf.name):
        return "its subject changed"
    return None


def _issue(
    leaf: Leaf, authority: x509.Certificate, key: ec.EllipticCurvePrivateKey, now: datetime
) -> tuple[bytes, bytes]:
    own = ec.generate_private_key(ec.SECP256R1())
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH] if leaf.client else []
    if leaf.sans:
        usages.insert(0, ExtendedKeyUsageOID.SERVER_AUTH)
    ends = min(now + timedelta(days=LEAF_DAYS), authority.not_valid_after_utc)
    builder = (
        _builder(_name(leaf.name), own, now, ends)
        .issuer_name(authority.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    if leaf.sans:
        builder = builder.add_extension(x509.SubjectAlternativeName(_general_names(leaf.sans)), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), _key_pem(own)


def _self_signed(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = _name("coreops etcd CA")
    return (
        _builder(name, key, now, now + timedelta(days=CA_DAYS))
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signing=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # a node's clock may be a little behind
        .not_valid_after(ends)
    )


def _usage(*, signature: bool = False, signing: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(signature, False, False, False, False, signing, signing, False, False)


def _common_name(name: str) -> str:
    return name[:64]  # the longest an X.509 common name may be


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _common_name(text))])


def _general_names(sans: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for san in sans:
        try:
            name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(san))
        except ValueError:
            try:
                name = x509.DNSName(san)
            except ValueError as error:
                raise InputError(
                    f"{san!r} cannot stand in a certificate", why=str(error), next="use a plain ASCII host name"
                ) from error
        if name not in names:
            names.append(name)
    return names


def _sans_of(cert: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _text(name: x509.GeneralName) -> str:
    return str(name.value)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError("a file of the certificate folder cannot be read", where=path, why=str(error)) from error


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # 0600 from the start
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            if not path.name.endswith(".key"):
                os.fchmod(stream.fileno(), 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
