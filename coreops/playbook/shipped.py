"""The playbooks that come with coreops: beside the package in a checkout, inside it in a wheel. Looks at file names."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent


def folder() -> Path:
    """Where they are."""
    packaged = _PACKAGE / "data" / "playbooks"
    return packaged if packaged.exists() else _PACKAGE.parent / "playbooks"


def names() -> tuple[str, ...]:
    """What there is, sorted: ``bootstrap.yml`` and so on."""
    return tuple(sorted(path.name for path in folder().glob("*.yml")))


def shipped(name: str) -> Path:
    """The path of one of ``names``."""
    return folder() / name


def meant(path: Path) -> Path:
    """The file an operator means: their own, or else a shipped one by its bare name."""
    if path.exists() or path.parent != Path(".") or path.name not in names():
        return path
    return shipped(path.name)
