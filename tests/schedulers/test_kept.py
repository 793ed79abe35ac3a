"""Secrets that are made once."""

from __future__ import annotations

import base64
import stat
import uuid
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.schedulers import kept

WANTED: dict[str, kept.SecretKind] = {"gossip.key": "base64", "token": "hex"}


def test_made_once_and_kept(tmp_path: Path) -> None:
    root = tmp_path / "pki"
    first = kept.load(root, WANTED)
    assert first.pending == ("gossip.key", "token")
    assert not root.exists()
    kept.save(first)
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in root.iterdir()} == {
        "gossip.key": 0o600,
        "token": 0o600,
    }
    assert len(base64.b64decode((root / "gossip.key").read_bytes(), validate=False)) == 32
    assert len(bytes.fromhex((root / "token").read_text())) == 32
    again = kept.load(root, WANTED)
    assert (again.files, again.pending) == (first.files, ())
    kept.save(again)
    assert "token" not in repr(again.files) or (root / "token").read_text().strip() not in repr(again)


def test_a_uuid(tmp_path: Path) -> None:
    kept.save(kept.load(tmp_path, {"token": "uuid"}))
    text = (tmp_path / "token").read_text().strip()
    assert str(uuid.UUID(text)) == text


def test_the_one_before_is_kept_where_it_is_still_needed(tmp_path: Path) -> None:
    kept.save(kept.load(tmp_path, WANTED))
    before = (tmp_path / "token").read_bytes()
    again = kept.load(tmp_path, WANTED, ["token", "gossip.key"], ["token"])
    assert again.made == ("gossip.key", "token")
    kept.save(again)
    assert (tmp_path / "token.before").read_bytes() == before != (tmp_path / "token").read_bytes()
    assert stat.S_IMODE((tmp_path / "token.before").stat().st_mode) == 0o600
    assert not (tmp_path / "gossip.key.before").exists()
    second = (tmp_path / "token").read_bytes()
    kept.save(kept.load(tmp_path, WANTED, ["token"], ["token"]))
    assert (tmp_path / "token.before").read_bytes() == before + second


def test_made_anew(tmp_path: Path) -> None:
    kept.save(kept.load(tmp_path, WANTED))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    again = kept.load(tmp_path, WANTED, ["token"])
    assert again.pending == ("token",)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    kept.save(again)
    assert (tmp_path / "gossip.key").read_bytes() == before["gossip.key"]
    assert (tmp_path / "token").read_bytes() != before["token"]
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_one_that_others_can_read_is_refused(tmp_path: Path) -> None:
    kept.save(kept.load(tmp_path, WANTED))
    (tmp_path / "token").chmod(0o640)
    with pytest.raises(InputError, match="can be read by others") as caught:
        kept.load(tmp_path, WANTED)
    assert str(caught.value.where) == str(tmp_path / "token")
    assert "0640" in (caught.value.why or "")


def test_one_that_is_empty_or_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").touch(mode=0o600)
    with pytest.raises(InputError, match="empty"):
        kept.load(tmp_path, WANTED)
    (tmp_path / "token").unlink()
    (tmp_path / "token").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        kept.load(tmp_path, WANTED)


def test_nothing_outside_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        kept.load(tmp_path, {"../token": "hex"})
