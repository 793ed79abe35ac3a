"""Templates in inventory variables that count before any play: how to reach a host, what it shall run. Pure.

``ansible_host: "{{ name }}.example.net"``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from coreops.model import Position
from coreops.playbook.values import Text, Value, has_template, prepare_plain, render
from coreops.playbook.vars import HostState, Scope, View

if TYPE_CHECKING:
    from coreops.inventory import Inventory


def host_renderer(
    inventory: Inventory, host: str, extra_vars: Mapping[str, Any] | None = None
) -> Callable[[Any, Position], Any]:
    """Return a function that templates a value with the host's variables. It raises InputError with the position."""
    view = View(
        host,
        HostState(),
        inventory.vars(host),
        extra={name: prepare_plain(value) for name, value in (extra_vars or {}).items()},
        play={},
        magic={
            "inventory_hostname": lambda name: host,
            "inventory_hostname_short": lambda name: host.partition(".")[0],
            "group_names": lambda name: list(inventory.group_names(host)),
            "inventory_dir": lambda name: str(inventory.base),
        },
        gather=False,
    )
    return lambda value, position: render(_prepared(value, position), Scope(view), position)


def _prepared(value: Any, position: Position) -> Value:
    return Text(value, position) if isinstance(value, str) and has_template(value) else prepare_plain(value)
