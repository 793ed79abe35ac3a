"""The sh files of this package, as they are sent: without comments and blank lines."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent  # importlib.resources takes 15 ms to import


@cache
def script(name: str) -> str:
    """Return ``name`` (``prelude.sh`` and its like) stripped of whole-line comments and indentation."""
    lines = (line.strip() for line in (_HERE / name).read_text().splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#")) + "\n"


def loader_command(*, prelude: bool) -> str:
    """The command that is the loader; transports run it with ``sh -c``. It holds no secret and is the same for all.

    ``prelude``: it brings the functions along, so that small frames stay small.
    """
    return (script("prelude.sh") if prelude else "") + script("loader.sh")
