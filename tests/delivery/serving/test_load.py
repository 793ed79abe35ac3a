"""Reading a render as a whole."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from coreops.cloudconfig.folder import write
from coreops.delivery.serving.load import load, mark
from coreops.errors import InputError


def files(bodies: dict[str, bytes], *, target: str = "coreos", **more: Any) -> dict[str, bytes]:
    nodes = {
        node: {"file": f"{node}.yaml", "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "role": "worker"}
        | more
        for node, data in bodies.items()
    }
    index = {"format": 1, "target": target, "platform": None, "nodes": nodes}
    return {f"{node}.yaml": data for node, data in bodies.items()} | {"index.json": json.dumps(index).encode()}


def test_a_render(tmp_path: Path) -> None:
    write(tmp_path / "out", files({"n1": b"one", "n2": gzip.compress(b"two")}))
    target, contents = load(tmp_path / "out")
    assert target == "coreos"
    assert {node: (each.data, each.secret) for node, each in contents.items()} == {
        "n1": (b"one", False),
        "n2": (b"two", False),
    }
    write(tmp_path / "out", files({"n1": b"one"}, target="ignition", secrets=["passwd"]))
    target, contents = load(tmp_path / "out")
    assert target == "ignition"
    assert contents["n1"].secret


def test_a_replaced_render_has_another_mark(tmp_path: Path) -> None:
    assert mark(tmp_path / "out") is None
    write(tmp_path / "out", files({"n1": b"one"}))
    before = mark(tmp_path / "out")
    assert before == mark(tmp_path / "out") is not None
    write(tmp_path / "out", files({"n1": b"one"}))
    assert mark(tmp_path / "out") != before


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("index.json", None, "there is no render here"),
        ("index.json", b"{", "not that of a render"),
        ("index.json", b"[" * 100_000, "not that of a render"),
        ("index.json", b"[]", "not that of a render"),
        ("index.json", b'{"format": 1, "target": "coreos", "nodes": {"n1": 7}}', "not that of a render"),
        ("index.json", b'{"format": 1, "target": [], "nodes": {}}', "not that of a render"),
        ("index.json", b'{"format": 2, "target": "coreos", "nodes": {}}', "format 2"),
        ("index.json", b'{"format": 1, "target": "butane", "nodes": {}}', "machines do not read butane"),
        ("index.json", b'{"format": 1, "target": "coreos", "nodes": {"a": {"file": "../x", "sha256": ""}}}', "outside"),
        ("index.json", b'{"format": 1, "target": "coreos", "nodes": {"a": {"file": "/x", "sha256": ""}}}', "outside"),
        ("n1.yaml", None, "cannot read the file"),
        ("n1.yaml", b"changed", "not what was rendered"),
    ],
)
def test_what_is_no_render(tmp_path: Path, name: str, data: bytes | None, said: str) -> None:
    folder = tmp_path / "out"
    write(folder, files({"n1": b"one"}))
    if data is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(data)
    with pytest.raises(InputError) as caught:
        load(folder)
    assert said in str(caught.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path / "file"):
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match="there is no render here"):
            load(path)
    folder = tmp_path / "out"
    write(folder, files({"n1": b"one"}))
    (folder / "n1.yaml").unlink()
    os.symlink("/etc/hostname", folder / "n1.yaml")
    with pytest.raises(InputError, match="cannot read the file"):
        load(folder)
    (folder / "n1.yaml").unlink()
    os.mkfifo(folder / "n1.yaml")
    with pytest.raises(InputError, match="not a file"):
        load(folder)


@pytest.mark.slow
def test_a_bomb_and_half_a_file(tmp_path: Path) -> None:
    bomb = gzip.compress(b"\0" * (65 << 20))
    for data, said in ((bomb, "unpacked, it is larger"), (gzip.compress(b"x" * 999)[:-9], "does not unpack")):
        write(tmp_path / "out", files({"n1": data}))
        with pytest.raises(InputError, match=said):
            load(tmp_path / "out")


@pytest.mark.parametrize("exchange", [True, False])
def test_replaced_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool) -> None:
    if not exchange:
        monkeypatch.setattr("coreops.cloudconfig.folder._exchange", lambda *_: False)
    folder = tmp_path / "out"
    kinds = [files({f"n{number}": letter * 50 for number in range(20)}) for letter in (b"a", b"b")]
    write(folder, kinds[0])
    stop = threading.Event()

    def swap() -> None:
        number = 0
        while not stop.wait(0.01):
            number += 1
            write(folder, kinds[number % 2])

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(50):
            _, contents = load(folder)
            assert len({each.data for each in contents.values()}) == 1
    finally:
        stop.set()
        thread.join()
