"""Which images of the cache nobody needs any more: of each kind the ones asked for last are kept, and those of labs.

An image is a folder; when it was asked for last is the folder's time. Folders without a label are not ours to remove.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from coreops.events import Emit, Notice
from coreops.providers.namespace.names import state_root
from coreops.providers.namespace.plan import LabPlan

KEPT: Final = 2
"""So that who goes back and forth between two versions of coreops does not build at each turn."""
_LABEL: Final = "kind"


def label(folder: Path, kind: str) -> None:
    """Write down what kind of image a folder is."""
    (folder / _LABEL).write_text(f"{kind}\n")


def superseded(folders: dict[Path, float], used: frozenset[str]) -> list[Path]:
    """Of images of one kind and when they were asked for: those to remove. Pure."""
    newest = sorted(folders, key=lambda folder: folders[folder], reverse=True)
    return [folder for folder in newest[KEPT:] if folder.name not in used]


def tidy(newest: Path, emit: Emit) -> None:
    """Remove what an image supersedes. The caller holds the cache's lock."""
    kind = _kind(newest)
    alike = {each: each.stat().st_mtime for each in newest.parent.iterdir() if kind and _kind(each) == kind}
    for folder in superseded(alike, frozenset(_used())):
        # under a name that nobody takes for an image, as it is removed file by file
        gone = folder.rename(folder.with_name(f".build-old-{folder.name}"))
        shutil.rmtree(gone)
        emit(Notice(f"removed an older image from the cache: {folder.name}"))


def _kind(folder: Path) -> str:
    with suppress(OSError):
        return (folder / _LABEL).read_text().strip()
    return ""


def _used() -> Iterator[str]:
    """The images of this machine's labs."""
    for file in state_root().glob("*/lab.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            yield LabPlan.from_json(file.read_text()).image
