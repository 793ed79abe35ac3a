"""Has the machines that an inventory looks up looked up, before it is read: the bridge to providers."""

from __future__ import annotations

from pathlib import Path


def fresh(source: Path, *, refresh: bool = False) -> Path:
    """Ask for what is not known, or was found too long ago; return the source. Raises CoreopsError."""
    from coreops.inventory.files import expand_home

    path = expand_home(source)
    if not path.is_dir() and not path.name.endswith((".coreops.yml", ".coreops.yaml")):
        return source
    from coreops.inventory import lookups

    asked = lookups(path)
    if asked:
        import time

        from coreops.cli._provision import progress
        from coreops.provision.looking import is_due, look

        for each in asked:
            if refresh or is_due(each, time.time()):
                look(each, progress)
    return source
