"""Asks cloud-init about many documents."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cloudconfig.real.programs import cloud_init

_READER = Path(__file__).with_name("reader.py")


@dataclass(frozen=True, slots=True)
class Written:
    """A file as cloud-init would write it."""

    path: str
    content: bytes
    mode: int
    owner: str
    append: bool


@dataclass(frozen=True, slots=True)
class Said:
    """What cloud-init makes of a document. unknown: keys that it passes over without a word. script: of its runcmd."""

    errors: list[str]
    unknown: list[str]
    files: list[Written]
    script: str


def ask_cloud_init(documents: Mapping[str, bytes], folder: Path) -> dict[str, Said]:
    """Have cloud-init read documents; each is judged once, however many names it has."""
    program = cloud_init()
    distinct = {data: folder / f"{number}.yaml" for number, data in enumerate(dict.fromkeys(documents.values()))}
    for data, path in distinct.items():
        path.write_bytes(data)
    words = [program.python, str(_READER), *map(str, distinct.values())]
    done = subprocess.run(words, env=program.env, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = {path: _said(each) for path, each in json.loads(done.stdout).items()}
    return {name: said[str(distinct[data])] for name, data in documents.items()}


def _said(found: dict[str, object]) -> Said:
    files = [
        Written(
            each["path"],
            base64.b64decode(each["content"]),
            each["mode"],
            ":".join(name for name in (each["user"], each["group"]) if name),
            each["append"],
        )
        for each in found.pop("files")
    ]
    return Said(**found, files=files)
