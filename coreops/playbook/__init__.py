"""The playbook language: YAML -> plays, plays + inventory -> programs that the engine drives. No SSH.

Pipeline: source (YAML with places) -> loader (Playbook) -> bind (BoundPlay) -> program (HostProgram: segments
out, records in). jinja2 and yaml are imported when they are first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coreops.playbook.bind import bind
    from coreops.playbook.bound import BoundPlay
    from coreops.playbook.extra_vars import parse_extra_vars
    from coreops.playbook.loader import load_playbook
    from coreops.playbook.plays import Playbook
    from coreops.playbook.preflight import preflight
    from coreops.playbook.program import HostProgram

__all__ = ["BoundPlay", "HostProgram", "Playbook", "bind", "load_playbook", "parse_extra_vars", "preflight"]

_HOMES = {
    "BoundPlay": "bound",
    "HostProgram": "program",
    "Playbook": "plays",
    "bind": "bind",
    "load_playbook": "loader",
    "parse_extra_vars": "extra_vars",
    "preflight": "preflight",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"coreops.playbook.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
