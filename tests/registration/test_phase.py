"""When there is a phase in which nodes register."""

from __future__ import annotations

from coreops.registration.phase import phases
from coreops.registration.settings import Wanted


def test_none_without_a_store_or_for_no_nodes() -> None:
    assert phases(None) == ()
    assert phases(Wanted((), {})) == (), "heal, with node_registry: false"
