"""Made-up releases and observations, each with only what a test is about."""

from __future__ import annotations

from typing import Any

from coreops.upgrade.observation import Observation
from coreops.upgrade.release import Release

BOARD = "amd64-usr"


def release(version: str, **other: Any) -> Release:
    given: dict[str, Any] = {
        "version": version,
        "board": BOARD,
        "target": f"{BOARD}/{version}.usr",
        "size": 1 << 20,
        "sha256": version.encode().hex().ljust(64, "0"),
        "codec": "none",
        "frame": 1 << 20,
        "frames": (1 << 20,),
        "usr_size": 1 << 20,
        "usr_sha256": "f" * 64,
    }
    return Release(**given | other)


def seen(version: str, **other: Any) -> Observation:
    given: dict[str, Any] = {
        "machine_id": "m",
        "boot_id": "b1",
        "version": version,
        "board": BOARD,
        "slot": "USR-A",
        "passive": "USR-B",
        "good": True,
        "next": "USR-A",
        "passive_size": 1 << 28,
    }
    return Observation(**given | other)
