"""A few hundred hostile documents; ``scripts/fuzz`` runs as many as one likes."""

from __future__ import annotations

from tests.cloudconfig.validate.fuzz import batch, document


def test_nothing_brings_a_reader_down() -> None:
    crashes, kinds = batch(range(500))
    assert [(crash.seed, crash.how) for crash in crashes] == []
    assert {"coreos", "cloud-init", "ignition", "butane"} <= kinds.keys()


def test_a_seed_is_always_the_same_document() -> None:
    assert document(7) == document(7)
    assert len({document(seed) for seed in range(100)}) > 90
