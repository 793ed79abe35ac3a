"""Cables: real taps on a real bridge, and addresses for the cards at their ends."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.providers.namespace import network as switch
from coreops.providers.namespace.host import run
from coreops.providers.protocol import mark
from coreops.providers.qemu import network
from coreops.providers.qemu.place import Cluster
from tests.providers.qemu.test_conformance import lacks


@given(st.text(), st.text())
def test_an_address_is_that_of_a_card(cluster: str, node: str) -> None:
    found = network.mac(mark(cluster, node))
    assert re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", found)
    assert int(found[:2], 16) & 0b11 == 0b10, "locally administered, of one machine"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(f"net{os.getpid()}", tmp_path)
    switch.ensure_switch(made.names, made.plan("10.78.254.0/24"))
    yield made
    switch.remove(made.names)


@pytest.mark.slow
@pytest.mark.skipif(lacks() is not None, reason=str(lacks()))
def test_a_cable_is_made_once_and_stays_cut(cluster: Cluster) -> None:
    where, netns = cluster.place("n1"), cluster.names.switch
    for _ in range(2):
        network.ensure_tap(netns, where.tap)
    assert f"master {network.BRIDGE}" in run(["ip", "-n", netns, "link", "show", where.tap]).stdout
    assert not switch.is_cut(where.port)
    switch.cut(where.port, True)
    network.ensure_tap(netns, where.tap)
    assert switch.is_cut(where.port)
    switch.cut(where.port, False)
    assert not switch.is_cut(where.port)
    network.remove_tap(netns, where.tap)
    network.remove_tap(netns, where.tap)
    assert where.tap not in run(["ip", "-n", netns, "link", "show"]).stdout
