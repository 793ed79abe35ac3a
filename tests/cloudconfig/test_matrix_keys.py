"""No key of the model is lost silently, whatever the target: it is in the bytes, or among the losses."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
import yaml

from coreops.cloudconfig.loss import Loss
from coreops.cloudconfig.targets import TARGETS
from tests.cloudconfig.nodes import Sample, samples

SAMPLES = tuple(samples())


def texts(target: str, data: bytes) -> str:
    """Every text of a document, contents decoded."""
    said = json.loads(data) if target == "ignition" else yaml.safe_load(data)
    return "\n".join(_texts(said))


def _texts(said: Any) -> Iterator[str]:
    if isinstance(said, dict):
        for key, each in said.items():
            yield str(key)
            yield from _texts(each)
    elif isinstance(said, list):
        for each in said:
            yield from _texts(each)
    elif isinstance(said, str) and said.startswith("data:"):
        head, _, body = said.partition(",")
        data = unquote_to_bytes(body)
        yield (base64.b64decode(data) if head.endswith(";base64") else data).decode(errors="replace")
    else:
        yield str(said)


def tells(losses: tuple[Loss, ...], sample: Sample) -> bool:
    """Is the key, or a section that it is in, among the losses? Items are named there: ``users[ann].shell``."""
    lost = {re.sub(r"\[[^]]*\]", "", loss.key) for loss in losses}
    steps = sample.key.partition(" ")[0].split(".")
    above = {".".join(steps[:length]) for length in range(1, len(steps) + 1)}
    return bool(above & lost) or any(f"[{sample.text}]" in loss.key for loss in losses)


def silent(sample: Sample, target: str) -> str | None:
    """What is wrong with how a target says a key."""
    done, without = TARGETS[target](sample.node), TARGETS[target](sample.without)
    if tells(done.losses, sample):
        return None
    if done.data == without.data:
        return "the bytes are those of a node without it"
    if sample.text and sample.text not in texts(target, done.data):
        return f"{sample.text!r} is not in the document"
    return None


@pytest.mark.parametrize("target", TARGETS)
def test_no_key_is_lost_silently(target: str) -> None:
    found = {sample.key: silent(sample, target) for sample in SAMPLES}
    assert {key: why for key, why in found.items() if why} == {}


def test_every_key_has_a_sample() -> None:
    keys = {sample.key for sample in SAMPLES}
    assert len(keys) == len(SAMPLES) > 200
    assert {"hostname", "coreos.units.drop_ins.content", "storage.disks.partitions.size_mib"} <= keys
