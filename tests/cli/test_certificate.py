"""``coreops certificate``: what it signs, keeps and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from coreops.cli.certificate import certificate
from coreops.errors import InputError
from coreops.store import pki


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {n1: {}}}\n")
    pki.save(pki.load(tmp_path / "pki", []))
    return tmp_path / "hosts.yml"


def test_it_is_for_a_server_and_opens_no_door(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert certificate("registry", ["registry.example", "10.0.0.5"], inventory) == 0
    made = x509.load_pem_x509_certificate((inventory.parent / "pki" / "registry.crt").read_bytes())
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert (inventory.parent / "pki" / "registry.key").stat().st_mode & 0o777 == 0o600
    assert "a new certificate" in capsys.readouterr().out


def test_what_is_good_is_kept(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificate("registry", ["a.example"], inventory)
    before = (inventory.parent / "pki" / "registry.crt").read_bytes()
    certificate("registry", ["a.example"], inventory, as_json=True)
    assert (inventory.parent / "pki" / "registry.crt").read_bytes() == before
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["changed"] is False
    certificate("registry", ["b.example"], inventory)
    assert (inventory.parent / "pki" / "registry.crt").read_bytes() != before


@pytest.mark.parametrize("name", ["ca", "client", "../x", "-x", "", "A", "x y", "nodes/n1", "é"])
def test_names_that_would_be_other_files(inventory: Path, name: str) -> None:
    with pytest.raises(InputError):
        certificate(name, ["a.example"], inventory)
    assert {path.name for path in (inventory.parent / "pki").iterdir()} == {"ca.crt", "ca.key"}


@pytest.mark.parametrize("san", ["a b", "$(id)", "é.example", "-a", "a\nb", ""])
def test_what_no_server_is_called(inventory: Path, san: str) -> None:
    with pytest.raises(InputError):
        certificate("registry", [san], inventory)


def test_an_inventory_without_an_authority(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {n1: {}}}\n")
    with pytest.raises(InputError, match="no authority yet"):
        certificate("registry", ["a.example"], tmp_path / "hosts.yml")
    assert not (tmp_path / "pki").exists()
