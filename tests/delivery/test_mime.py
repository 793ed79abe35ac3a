"""Messages: what cloud-init takes out is what went in."""

from __future__ import annotations

import base64
import gzip
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.cloudconfig.platforms.platform import Limit, Platform
from coreops.cloudconfig.platforms.records import find
from coreops.delivery.mime import message
from coreops.delivery.package import package
from coreops.delivery.request import PackedFile, Part
from coreops.errors import InputError
from tests.delivery.programs import ask_cloud_init

DATA = b"#cloud-config\nhostname: n1\n"
FLATCAR = find("qemu")


def packed(data: bytes, *parts: Part, target: str = "cloud-init", platform: Platform | None = None) -> PackedFile:
    (file,) = package("mime", "n1", data, target, platform, metadata={}, parts=parts)
    return file


PARTS = {
    "script": b"#!/bin/sh\necho \"$(id)\" 'a' `b`\n\nFrom here\n.\n--==x==\n--\n",
    "no end of line": b"#!/bin/sh\necho hi",
    "ends in blank lines": b"#cloud-config\nruncmd: []\n\n\n",
    "unicode": "#cloud-config\nfinal_message: ünï ☃\n".encode(),
    "long": b"#!/bin/sh\n#" + b"x" * 5000 + b"\n",
    "returns": b"#!/bin/sh\r\necho\r\n",
    "jinja": b"## template: jinja\n#cloud-config\nhostname: '{{ v1.region }}'\n",
    "boothook": b"#cloud-boothook\n#!/bin/sh\n",
}


def test_cloud_init_takes_out_what_went_in(tmp_path: Path) -> None:
    parts = [Part(f"{number} {name}.sh", data) for number, (name, data) in enumerate(PARTS.items())]
    (tmp_path / "mime").write_bytes(packed(DATA, *parts).data)
    (tmp_path / "mime.gz").write_bytes(gzip.compress(packed(DATA, *parts).data))
    for file in ("mime", "mime.gz"):
        found = ask_cloud_init(tmp_path, "mime", file)
        assert [base64.b64decode(data) for _, _, data in found] == [DATA, *PARTS.values()]
        assert [kind for kind, _, _ in found][:3] == ["text/cloud-config", "text/x-shellscript", "text/x-shellscript"]
        assert [kind for kind, _, _ in found][-2:] == ["text/jinja2", "text/cloud-boothook"]
        assert [name for _, name, _ in found][:2] == ["n1.yaml", "0%20script.sh"]


@given(st.lists(st.one_of(st.text().map(str.encode), st.binary()), min_size=1, max_size=4), st.text(max_size=20))
def test_any_bytes_under_any_name(contents: list[bytes], name: str) -> None:
    whole = message([(Part(name, data), "x-shellscript") for data in contents])
    assert whole == message([(Part(name, data), "x-shellscript") for data in contents])
    assert whole.isascii()
    read = message_from_bytes(whole)
    assert not read.defects
    found = [part.get_payload(decode=True) for part in read.get_payload()]
    assert found == contents


def test_ascii_stays_readable() -> None:
    assert DATA in packed(DATA).data


def test_a_part_that_does_not_say_what_it_is() -> None:
    with pytest.raises(InputError, match=r"begin it with one of #!, ") as caught:
        packed(DATA, Part("notes.txt", b"hello\n"))
    assert caught.value.where == "notes.txt"
    with pytest.raises(InputError, match="UTF-8"):
        packed(DATA, Part("blob", b"#!/bin/sh\n\xff"))


def test_parts_of_one_name_would_be_one_file() -> None:
    with pytest.raises(InputError, match=r"two parts are named a\.sh"):
        packed(DATA, Part("a.sh", b"#!/bin/sh\n"), Part("a.sh", b"#!/bin/sh\n"))


def test_only_flatcars_coreos_cloudinit_reads_it() -> None:
    with pytest.raises(InputError, match="where Flatcar runs: ec2, "):
        packed(DATA, target="coreos")
    with pytest.raises(InputError, match="on vagrant"):
        packed(DATA, target="coreos", platform=find("vagrant"))
    assert packed(DATA, Part("a.sh", b"#!/bin/sh\n"), target="coreos", platform=FLATCAR).name == "n1.mime"
    with pytest.raises(InputError, match="no part of type text/jinja2"):
        packed(DATA, Part("a", PARTS["jinja"]), target="coreos", platform=FLATCAR)


def test_too_large_with_its_parts() -> None:
    small = replace(find("ec2"), limit=Limit("a test", raw=800))
    assert packed(DATA, platform=small).name == "n1.mime"
    zipped = packed(DATA, Part("a.sh", b"#!/bin/sh\n" + b"# x\n" * 500), platform=small)
    assert zipped.name == "n1.mime.gz"
    assert b"# x\n# x\n" in gzip.decompress(zipped.data)
    with pytest.raises(InputError, match=r"too many for ec2, which takes 300") as caught:
        packed(
            DATA, Part("a.sh", b"#!/bin/sh\n"), platform=replace(small, encodings=(), limit=Limit("a test", raw=300))
        )
    assert caught.value.why is not None
    assert "a.sh (10)" in caught.value.why
