"""``hostvars``: one host looks at another's variables, and waits for it when it has not got there yet. Pure.

Inventory and extra vars never wait. Play and task vars of the other host are not visible, as in Ansible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from coreops.errors import InputError, did_you_mean
from coreops.playbook.pending import WaitReference
from coreops.playbook.vars import CONNECTION, FACTS, HostState, Scope, View


class HostVars(Mapping[str, "OtherHost | Scope"]):
    """All hosts of the inventory, by name. own: the host that looks, which sees itself as it is now."""

    def __init__(self, hosts: Mapping[str, Any], make: Callable[[str], OtherHost], own: View) -> None:
        self._hosts = hosts
        self._make = make
        self._own = own

    def __getitem__(self, host: str) -> OtherHost | Scope:
        if host == self._own.host:
            return Scope(self._own)
        if host not in self._hosts:
            raise KeyError(host)
        return self._make(host)

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def __len__(self) -> int:
        return len(self._hosts)

    def __repr__(self) -> str:
        return f"hostvars of {len(self)} hosts"


class OtherHost(Mapping[str, Any]):
    """The variables of one host, as others see them. dynamic: names that tasks of this play may yet give it.

    stuck: the host can give nothing more before the one who looks has moved.
    """

    def __init__(self, view: View, state: HostState, dynamic: frozenset[str], stuck: Callable[[], bool]) -> None:
        self._view = view
        self._state = state
        self._dynamic = dynamic
        self._stuck = stuck

    def __getitem__(self, name: str) -> Any:
        view, state = self._view, self._state
        if name in view.extra or name in view.magic:
            return Scope(view)[name]
        # First whether anything is still to come, then what is there: the other host goes on meanwhile.
        awaited = name in self._dynamic and not state.finished and not self._stuck()
        if name in state.published:
            return state.published[name]
        if awaited:
            raise WaitReference(view.host, name)
        if name in ("ansible_facts", "facts"):
            return self._facts(name)
        if view.inventory(name) is not None or name in CONNECTION or not name.startswith("ansible_"):
            return Scope(view)[name]
        return self._facts(name)[name.removeprefix("ansible_")]

    def _facts(self, name: str) -> Mapping[str, Any]:
        awaited = not self._state.finished
        if self._state.published_facts is None:
            if awaited:
                self._state.want_facts = True
                raise WaitReference(self._view.host, FACTS)
            raise KeyError(name)
        return self._state.published_facts

    @property
    def host(self) -> str:
        return self._view.host

    def advice(self, name: str) -> str:
        """What to do about an undefined name."""
        return did_you_mean(name, self) or (
            "it must be in the inventory, or given to that host by a task before; did the host fail before that?"
        )

    def __iter__(self) -> Iterator[str]:
        view = self._view
        return iter(sorted({*view.inventory_names(), *view.extra, *view.magic, *self._state.published}))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"variables of {self._view.host}"


def refuse_circle(host: str, reference: WaitReference, state: Callable[[str], HostState]) -> None:
    """Raise InputError when the host that is looked at waits, itself or through others, for this one."""
    chain = [host]
    wait: tuple[str, str] | None = (reference.host, reference.name)
    while wait is not None and state(wait[0]).awaits(wait[1]):
        chain.append(wait[0])
        if len(chain) != len(set(chain)):
            raise InputError(
                f"hosts wait for each other: {' -> '.join(chain)}",
                why=f"{host} needs {reference.what}",
                next="split the play in two, so that the values are there before they are used",
            )
        wait = state(wait[0]).wait
