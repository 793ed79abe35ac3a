import contextlib
import ipaddress
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from coreops.errors import InputError
from coreops.store import pki

NODE = pki.Leaf("nodes/n1", "n1", ("n1", "10.0.0.1", "::1", "localhost"))
OPERATOR = pki.Leaf("client", "coreops operator")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def made(root: Path, *leaves: pki.Leaf, now: datetime | None = None) -> pki.Pki:
    result = pki.load(root, leaves or (NODE, OPERATOR), now)
    pki.save(result)
    return result


def test_load_alone_writes_nothing(tmp_path: Path) -> None:
    result = pki.load(tmp_path / "pki", [NODE])
    assert result.pending == {"ca.crt", "ca.key", "nodes/n1.crt", "nodes/n1.key"}
    assert not (tmp_path / "pki").exists()


def test_files_and_modes(tmp_path: Path) -> None:
    made(tmp_path / "pki")
    assert set(tree(tmp_path / "pki")) == {
        "ca.crt", "ca.key", "client.crt", "client.key", "nodes/n1.crt", "nodes/n1.key",
    }  # fmt: skip
    for path in (tmp_path / "pki").rglob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "pki").stat().st_mode) == 0o700


def test_what_the_certificates_say(tmp_path: Path) -> None:
    result = made(tmp_path)
    node = x509.load_pem_x509_certificate(result.files["nodes/n1.crt"])
    node.verify_directly_issued_by(result.authority)
    sans = node.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sans.get_values_for_type(x509.DNSName) == ["n1", "localhost"]
    assert sans.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("::1")]
    usage = node.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {oid._name for oid in usage} == {"serverAuth", "clientAuth"}
    client = x509.load_pem_x509_certificate(result.files["client.crt"])
    assert [o._name for o in client.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value] == ["clientAuth"]
    assert result.authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_second_load_changes_nothing(tmp_path: Path) -> None:
    made(tmp_path)
    before = tree(tmp_path)
    again = made(tmp_path)
    assert again.pending == frozenset()
    assert again.reasons == ()
    assert tree(tmp_path) == before


def test_only_the_certificate_whose_names_changed_is_issued_again(tmp_path: Path) -> None:
    made(tmp_path)
    before = tree(tmp_path)
    wider = pki.Leaf(NODE.file, NODE.name, (*NODE.sans, "10.9.9.9"))
    again = made(tmp_path, wider, OPERATOR)
    assert again.reasons == ("n1: its names changed: +10.9.9.9",)
    changed = {name for name, data in tree(tmp_path).items() if before[name] != data}
    assert changed == {"nodes/n1.crt", "nodes/n1.key"}


def test_a_certificate_near_its_end_is_renewed(tmp_path: Path) -> None:
    made(tmp_path)
    later = datetime.now(UTC) + timedelta(days=pki.LEAF_DAYS - pki.RENEW_DAYS + 1)
    assert len(pki.load(tmp_path, [NODE, OPERATOR], later).reasons) == 2
    assert pki.load(tmp_path, [NODE], datetime.now(UTC) + timedelta(days=300)).reasons == ()


def test_a_broken_or_mismatched_pair_is_replaced(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "nodes/n1.key").write_bytes((tmp_path / "client.key").read_bytes())
    (tmp_path / "client.crt").write_text("nonsense")
    assert made(tmp_path).reasons == (
        "n1: key and certificate did not match",
        "coreops operator: the certificate could not be read",
    )
    assert made(tmp_path).reasons == ()


def test_certificates_of_another_authority_are_replaced(tmp_path: Path) -> None:
    made(tmp_path / "a")
    made(tmp_path / "b")
    for name in ("ca.crt", "ca.key"):
        os.replace(tmp_path / "b" / name, tmp_path / "a" / name)
    assert pki.load(tmp_path / "a", [NODE]).reasons == ("n1: it was issued by another authority",)


def test_a_ca_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "ca.key").chmod(0o640)
    with pytest.raises(InputError, match="can be read by others") as caught:
        pki.load(tmp_path, [NODE])
    assert "0640" in (caught.value.why or "")


@pytest.mark.parametrize("half", ["ca.crt", "ca.key"])
def test_half_a_ca_is_never_replaced_silently(tmp_path: Path, half: str) -> None:
    made(tmp_path)
    (tmp_path / half).unlink()
    with pytest.raises(InputError, match="half of the certificate authority"):
        pki.load(tmp_path, [NODE])


def test_a_ca_with_a_strange_key_is_refused(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "ca.key").write_bytes((tmp_path / "client.key").read_bytes())
    with pytest.raises(InputError, match="does not belong"):
        pki.load(tmp_path, [NODE])
    (tmp_path / "ca.key").write_text("x")
    with pytest.raises(InputError, match="cannot be read"):
        pki.load(tmp_path, [NODE])


def test_the_stage_lends_everything_but_the_ca_key_and_vanishes(tmp_path: Path) -> None:
    fresh = pki.load(tmp_path / "pki", [NODE])
    with pki.staged(fresh) as folder:
        assert folder != tmp_path / "pki"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert set(tree(folder)) == {"ca.crt", "nodes/n1.crt", "nodes/n1.key"}
    assert not folder.exists()
    pki.save(fresh)
    with pki.staged(pki.load(tmp_path / "pki", [NODE])) as folder:
        assert folder == tmp_path / "pki"


@pytest.mark.parametrize("survives", range(7))
def test_a_crash_while_saving_is_repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survives: int) -> None:
    fresh = pki.load(tmp_path, [NODE, OPERATOR])
    real = pki._write
    written: list[str] = []

    def dies(path: Path, data: bytes) -> None:
        if len(written) == survives:
            raise KeyboardInterrupt
        real(path, data)
        written.append(path.name)

    monkeypatch.setattr(pki, "_write", dies)
    with contextlib.suppress(KeyboardInterrupt):
        pki.save(fresh)
    monkeypatch.setattr(pki, "_write", real)
    assert written == ["ca.key", "ca.crt", "client.key", "n1.key", "client.crt", "n1.crt"][:survives]
    made(tmp_path)
    assert made(tmp_path).reasons == ()


def test_a_name_that_no_certificate_can_carry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot stand in a certificate"):
        pki.load(tmp_path, [pki.Leaf("nodes/x", "x", ("knöten",))])


def test_long_names_still_make_a_certificate(tmp_path: Path) -> None:
    long = pki.Leaf("nodes/l", "l" * 200, ("l" * 60,))
    made(tmp_path, long)
    assert made(tmp_path, long).reasons == ()


def test_the_token_stays_with_the_authority(tmp_path: Path) -> None:
    first = made(tmp_path / "a").token
    assert made(tmp_path / "a").token == first
    assert made(tmp_path / "b").token != first


def test_no_secret_in_the_repr(tmp_path: Path) -> None:
    assert "PRIVATE" not in repr(pki.load(tmp_path, [NODE]))
