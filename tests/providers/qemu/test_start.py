"""What a lab decides of its virtual machines, as the command line that starts them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from coreops.providers.namespace.keys import make_key
from coreops.providers.namespace.names import LabNames, NodeNames
from coreops.providers.namespace.plan import LabPlan
from coreops.providers.qemu import lab, start
from coreops.providers.qemu.argv import argv

PLAN = LabPlan("vm", "10.77.3.0/24", 1, "qemu-x", driver="qemu", firmware="uefi").grown(2)


def words(plan: LabPlan, node: int = 0) -> str:
    each = plan.nodes[node]
    return " ".join(argv(start.description(LabNames("vm", Path("/labs")).node(each.name), plan, each), "tcg"))


def test_uefi_machines_have_firmware_and_gptprio_machines_a_kernel() -> None:
    assert "/qemu-x/ovmf-code.fd" in words(PLAN)
    assert "/labs/vm/nodes/n1/ovmf-vars.fd" in words(PLAN)
    assert "-kernel" not in words(PLAN)
    other = words(LabPlan("vm", "10.77.3.0/24", 1, "qemu-x", driver="qemu", firmware="gptprio").grown(1))
    assert "coreops.usr=gptprio" in other
    assert "ovmf" not in other


def test_two_nodes_share_nothing() -> None:
    first, second = (set(words(PLAN, node).split()) for node in (0, 1))
    own = {word for word in first - second if "n1" in word or "mac=" in word}
    assert own == first - second
    assert any("/labs/vm/nodes/n2/disk.img" in word for word in second)
    assert any("ifname=n2" in word for word in second)


def test_a_node_is_told_who_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COREOPS_CACHE", str(tmp_path))
    template = tmp_path / "images/qemu-x"
    template.mkdir(parents=True)
    for name in ("disk.img", "ovmf-vars.fd"):
        (template / name).write_text(name)
    names, node = LabNames("vm", tmp_path / "labs").node("n1"), PLAN.nodes[0]
    lab.create(names, PLAN, node, template / "disk.img", make_key("n1"), "ssh-ed25519 AAAA")
    assert names.disk.read_text() == "disk.img"
    seed = start.seed_file(names)
    assert seed.stat().st_mode & 0o777 == 0o600
    with tarfile.open(fileobj=io.BytesIO(seed.read_bytes())) as tar:
        network = tar.extractfile("etc/systemd/network/50-lab.network")
        assert network
        told = network.read().decode()
        assert tar.getnames()[-1] == "etc/machine-id"
    assert f"MACAddress={start.mac(node)}" in told
    assert "Address=10.77.3.11/24" in told
    before = names.disk.stat().st_ino
    lab.create(names, PLAN, node, template / "disk.img", make_key("other"), "")
    assert (names.disk.stat().st_ino, seed.stat().st_size) == (before, seed.stat().st_size)
    assert lab.status(prepared(names.lab), node).state == "off"


def prepared(names: LabNames) -> NodeNames:
    names.plan_file.write_text(PLAN.to_json())
    return names.node("n1")
