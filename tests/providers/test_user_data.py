"""A render becomes the NoCloud seeds of a lab; what is no render for this lab is refused before it is touched."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.providers.namespace import lab, nspawn, user_data
from coreops.providers.namespace.lab import Lab
from coreops.providers.namespace.names import LabNames, NodeNames
from coreops.providers.namespace.plan import LabPlan


def render(folder: Path, documents: dict[str, bytes], **index: Any) -> Path:
    folder.mkdir(exist_ok=True)
    nodes = {}
    for node, data in documents.items():
        (folder / f"{node}.yaml").write_bytes(data)
        nodes[node] = {"file": f"{node}.yaml", "sha256": hashlib.sha256(data).hexdigest(), "role": "member"}
    text = json.dumps({"format": 1, "target": "cloud-init", "platform": "lab", "nodes": nodes} | index)
    (folder / "index.json").write_text(text)
    return folder


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that may have labs, of which none is booted."""
    monkeypatch.setenv("COREOPS_LAB_STATE", str(tmp_path / "labs"))
    monkeypatch.setattr(lab, "require_linux_root", lambda: None)
    monkeypatch.setattr(nspawn, "require_programs", lambda **_: None)
    return tmp_path


def known(plan: LabPlan) -> LabNames:
    names = LabNames.of(plan.name)
    names.folder.mkdir(parents=True)
    names.plan_file.write_text(plan.to_json())
    return names


def test_documents_are_read_as_they_are(tmp_path: Path) -> None:
    documents = {"n1": b"#cloud-config\n", "n2": b"\x1f\x8b\0\xff not text"}
    assert user_data.read(render(tmp_path / "r", documents)) == documents
    assert user_data.count(documents | {"n4": b""}) == 2


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"target": "coreos"}, "is for coreos"),
        ({"nodes": ["n1"]}, "cannot be read as that of a render"),
        ({"nodes": {"n1": {"file": "n1.yaml"}}}, "cannot be read as that of a render"),
        ({"nodes": {"n1": {"file": "../n1.yaml", "sha256": ""}}}, "cannot be read"),
        ({"nodes": {"n1": {"file": "nothing.yaml", "sha256": ""}}}, "cannot be read"),
        ({"nodes": {"n1": {"file": "n1.yaml", "sha256": "0" * 64}}}, "is not what was rendered"),
    ],
)
def test_what_is_no_render_for_a_lab(tmp_path: Path, index: dict[str, Any], message: str) -> None:
    (tmp_path / "n1.yaml").write_text("elsewhere")
    with pytest.raises(InputError, match=message) as caught:
        user_data.read(render(tmp_path / "r", {"n1": b"#cloud-config\n"}, **index))
    assert caught.value.next


def test_a_folder_without_a_render(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(InputError, match=r"no index\.json"):
            user_data.read(folder)


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_the_instance_id_follows_the_content(one: bytes, other: bytes) -> None:
    names = NodeNames(LabNames("lab", Path("/x")), "n1")
    first, second = (json.loads(user_data.meta_data(names, document)) for document in (one, other))
    assert (first == second) == (one == other)
    assert first["local-hostname"] == "n1"


def test_a_seed_is_written_once(state: Path) -> None:
    names = LabNames.of("lab").node("n1")
    assert not user_data.offered(names)
    assert [user_data.offer(names, text) for text in (b"a", b"a", b"b", b"b")] == [True, False, True, False]
    assert user_data.offered(names)
    assert names.user_data.stat().st_mode & 0o777 == 0o700
    assert (names.user_data / "user-data").stat().st_mode & 0o777 == 0o600
    # A crash after the first file: the document is new and the instance-id is not.
    (names.user_data / "user-data").write_bytes(b"c")
    assert user_data.offer(names, b"c")


def test_a_lab_without_cloud_init_takes_none(state: Path) -> None:
    known(LabPlan("lab", "10.77.0.0/24", 1, "some-image").grown(1))
    folder = render(state / "r", {"n1": b"#cloud-config\n"})
    with pytest.raises(InputError, match="was booted without user-data"):
        Lab.up("lab", user_data=folder, inventory_folder=state / "i")


def test_every_node_needs_some(state: Path) -> None:
    names = known(LabPlan("lab", "10.77.0.0/24", 1, "some-image", cloud_init=True).grown(2))
    user_data.offer(names.node("n1"), b"#cloud-config\n")
    with pytest.raises(InputError, match="no user-data for n2"):
        Lab.up("lab", inventory_folder=state / "i")
    with pytest.raises(InputError, match="no user-data for n3, n10"):
        user_data.require(["n10", "n1", "n3"], {"n1"})
    with pytest.raises(InputError, match="no user-data for n1, n2, n3"):
        Lab.up("new", inventory_folder=state / "i", user_data=render(state / "r", {"db": b""}))
    assert not LabNames.of("new").folder.exists()


def test_a_plan_alone_takes_no_user_data_and_no_chaos(state: Path) -> None:
    with pytest.raises(InputError, match="--no-boot"):
        Lab.up("lab", user_data=state, boot=False)
    known(LabPlan("lab", "10.77.0.0/24", 1, "").grown(1))
    with pytest.raises(InputError, match="only planned"):
        Lab.open("lab").chaos("n1", "poweron")
