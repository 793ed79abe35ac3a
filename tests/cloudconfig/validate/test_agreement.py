"""What the real programs refuse, the validator refuses; where it is stricter is written down here.

cloud-init's own schema and Ignition's own validator judge the whole corpus of their target, and every document that is
made of it by changing one value.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest

from coreops.cloudconfig.validate.check import check
from tests.cloudconfig.real.programs import cloud_init
from tests.cloudconfig.validate.test_corpus import CORPUS, DOCUMENTS, target

_ASK = """
import sys, json
from cloudinit.config.schema import get_schema, validate_cloudconfig_file
schema, said = get_schema(), {}
for path in json.load(sys.stdin):
    try:
        validate_cloudconfig_file(path, schema)
    except Exception as error:
        said[path] = f"{type(error).__name__}: {error}"[:300]
    else:
        said[path] = ""
json.dump(said, sys.__stdout__)
"""
# For documents without any oddities of YAML: most of the time goes into reading them.
_READ_BY_LIBYAML = "import yaml\nyaml.SafeLoader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)"
# What the schema refuses and the machine does not mind: a warning here.
WARNED = {
    "good-template.yml": "cloud-init schema does not render templates",
    "header-only.yml": "cloud-init schema wants a mapping",
}
STRICTER_THAN_CLOUD_INIT = {
    "header-coreos-inside.yml",
    "duplicate-key.yml",
    "duplicate-path.yml",
    "size-too-big@ec2.yml",
    "template-rendered.yml",
    "unknown-hyphens.yml",
    "unknown-top.yml",
}
STRICTER_THAN_IGNITION = {
    "duplicate-key.ign",
    "read-deep.ign",
    "read-only.ign",
    "size-too-big@ec2.ign",
    "size@ec2.ign",
    "too-new.ign",
    "unknown-keys.ign",
}
# Debian's Ignition is older than spec 3.4.0.
NEWER = {"good-3.4.ign", "version-newer.ign"}


@cache
def cloud_init_says(paths: tuple[Path, ...], before: str = "") -> dict[str, str]:
    program = cloud_init()
    asked = json.dumps([str(path) for path in paths])
    done = subprocess.run(
        [program.python, "-c", before + _ASK], env=program.env, input=asked, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, str] = json.loads(done.stdout[done.stdout.rindex('{"/') :])
    return {Path(path).name: text for path, text in said.items()}


def ignition_says(data: bytes) -> tuple[int, str]:
    program = shutil.which("ignition-validate")
    if program is None:
        pytest.skip("there is no ignition-validate (apt-get install ignition)")
    done = subprocess.run([program, "-"], input=data, capture_output=True, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode()


def severities(path: Path) -> set[str]:
    _, _, platform = path.stem.partition("@")
    from coreops.cloudconfig.platforms.records import find

    return {
        each.severity
        for each in check(path.read_bytes(), path.name, find(platform) if platform else None, target(path))
    }


def of(name: str) -> tuple[Path, ...]:
    return tuple(path for path in DOCUMENTS if target(path) == name)


def test_never_laxer_than_cloud_init() -> None:
    said = cloud_init_says(of("cloud-init"))
    refused = {name for name, text in said.items() if text}
    ours = {path.name: severities(path) for path in of("cloud-init")}
    assert {name for name in refused if "error" not in ours[name]} == set(WARNED)
    assert all("warning" in ours[name] for name in WARNED)
    assert {name for name in ours if "error" in ours[name]} - refused == STRICTER_THAN_CLOUD_INIT


def test_never_laxer_than_ignition() -> None:
    paths = [path for path in of("ignition") if path.name not in NEWER]
    with ThreadPoolExecutor(2) as pool:
        said = dict(zip(paths, pool.map(lambda path: ignition_says(path.read_bytes()), paths), strict=True))
    refused = {path.name for path, (code, _) in said.items() if code}
    ours = {path.name: severities(path) for path in paths}
    assert {name for name in refused if "error" not in ours[name]} == set()
    assert {
        path.name for path, (_, text) in said.items() if text and not ours[path.name] & {"error", "warning"}
    } == set()
    assert {name for name in ours if "error" in ours[name]} - refused == STRICTER_THAN_IGNITION


OTHERS = ("", "x", "/x y", 5, -1, True, 1.5, None, [], {}, ["x"], [5], {"x": 1})
# Each place is given a few of them, the next place the next few; all of them when this is set.
FEW = len(OTHERS) if os.environ.get("COREOPS_ALL_CHANGES") else 3


def changes(value: Any) -> list[Any]:
    """The document with one part of it gone, or something else."""
    others = cycle(OTHERS)
    return list(_changes(value, lambda: islice(others, FEW)))


def _changes(value: Any, others: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield {key: each for key, each in value.items() if key != name}
            yield from ({**value, name: changed} for changed in _changes(below, others))
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield value[:number] + value[number + 1 :]
            yield [*value, below]
            yield from ([*value[:number], changed, *value[number + 1 :]] for changed in _changes(below, others))
    yield from (other for other in others() if other != value)


@pytest.mark.slow
def test_never_laxer_than_ignition_when_something_changes() -> None:
    whole = json.loads((CORPUS / "ignition" / "good-full.ign").read_text())
    documents = [json.dumps(each).encode() for each in changes(whole)]
    with ThreadPoolExecutor(2) as pool:
        codes = pool.map(lambda data: ignition_says(data)[0], documents)
    laxer = []
    for data, code in zip(documents, codes, strict=True):
        found = {each.severity for each in check(data, "f", None, "ignition")}
        if code and "error" not in found:
            laxer.append((data, ignition_says(data)[1]))
    assert laxer == []


@pytest.mark.slow
def test_never_laxer_than_cloud_init_when_something_changes(tmp_path: Path) -> None:
    import yaml

    whole = yaml.safe_load((CORPUS / "cloud-init" / "good-full.yml").read_text())
    paths = []
    for number, each in enumerate(changes(whole)):
        path = tmp_path / f"{number}.yml"
        path.write_text("#cloud-config\n" + yaml.dump(each, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))
        paths.append(path)
    said = cloud_init_says(tuple(paths), _READ_BY_LIBYAML)
    laxer = {
        path.read_text(): said[path.name]
        for path in paths
        if said[path.name]
        and not any(each.severity == "error" for each in check(path.read_bytes(), "f", None, "cloud-init"))
    }
    assert laxer == {}
