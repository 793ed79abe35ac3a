"""Which value a name has on a host: the layers, in Ansible's precedence, templated when they are looked at.

loop variables > magic > extra vars > set_fact and registered > task vars > vars_files > play vars > facts > inventory.
What came from a node (registered, facts) is final: it is never looked at for templates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from coreops.errors import InputError, did_you_mean
from coreops.playbook.pending import OMIT, Pending, PendingReference, Signal
from coreops.playbook.values import Value, is_undefined, prepare_plain

_CONNECTION = (
    "user port connection become become_user become_method become_password become_pass password ssh_pass"
    " ssh_private_key_file ssh_common_args ssh_extra_args python_interpreter shell_type group_priority loop managed"
    " version host index_var loop_var"
)
CONNECTION = frozenset("ansible_" + name for name in _CONNECTION.split())
"""Names that look like facts and are none: asking for one never gathers facts."""


FACTS = "ansible_facts"


class HostState:
    """What a host has learnt during the run: registered results, set_fact, facts. Shared by all plays.

    Other hosts see ``published`` only: what stood when everything sent had been answered.
    """

    __slots__ = ("facts", "finished", "known", "published", "published_facts", "wait", "want_facts")

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self.facts: Mapping[str, Any] | Pending | None = None
        self.published: Mapping[str, Any] = {}
        self.published_facts: Mapping[str, Any] | None = None
        self.want_facts = False
        self.finished = True
        self.wait: tuple[str, str] | None = None

    def awaits(self, name: str) -> bool:
        """Is a value that others wait for still to come from here?"""
        return not self.finished and name != FACTS and name not in self.published

    def publish(self) -> None:
        """Let other hosts see what is known now."""
        self.published = dict(self.known)
        if not isinstance(self.facts, Pending):
            self.published_facts = self.facts


class View:
    """All layers of one host in one play, but those of a task."""

    __slots__ = ("_inventory", "_raw", "extra", "gather", "host", "magic", "play", "state")

    def __init__(
        self,
        host: str,
        state: HostState,
        raw: Mapping[str, Any],
        *,
        extra: Mapping[str, Value],
        play: Mapping[str, Value],
        magic: Mapping[str, Callable[[str], Any]],
        gather: bool = True,
    ) -> None:
        self.host = host
        self.state = state
        self.extra = extra
        self.play = play
        self.magic = magic
        self.gather = gather
        self._raw = raw
        self._inventory: dict[str, Value] = {}

    def inventory(self, name: str) -> Value | None:
        """The inventory's value of a name, or None."""
        found = self._inventory.get(name)
        if found is None and name in self._raw:
            found = self._inventory[name] = prepare_plain(self._raw[name])
        return found

    def inventory_names(self) -> Iterator[str]:
        return iter(self._raw)

    def fact(self, name: str, default: Any) -> Any:
        """ansible_facts, facts, or ansible_<fact>; pending when nobody has gathered them yet."""
        facts = self.state.facts
        whole = name in ("ansible_facts", "facts")
        if facts is None:
            if not self.gather:
                return {} if whole else default
            return Pending(lambda: PendingReference(name, facts=True))
        if whole or isinstance(facts, Pending):
            return facts
        return facts.get(name.removeprefix("ansible_"), default)


class Scope(Mapping[str, Any]):
    """The variables of one host as one task (or loop item) sees them; each is templated when it is looked at."""

    __slots__ = ("_busy", "_cache", "local", "task", "view")

    def __init__(self, view: View, local: Mapping[str, Any] | None = None, task: Mapping[str, Value] | None = None):
        self.view = view
        self.local: Mapping[str, Any] = local or {}
        self.task: Mapping[str, Value] = task or {}
        self._cache: dict[str, Any] = {}
        self._busy: list[str] = []

    @property
    def host(self) -> str:
        return self.view.host

    def child(self, local: Mapping[str, Any], task: Mapping[str, Value] | None = None) -> Scope:
        """The same variables with some more in front."""
        return Scope(self.view, {**self.local, **local} if self.local else local, self.task if task is None else task)

    def resolve(self, name: str, default: Any) -> Any:
        """The value of a name, or ``default``. Raises InputError for a variable that contains itself, and Signals."""
        if name in self.local:
            return self.local[name]
        if name in self._cache:
            return self._cache[name]
        view = self.view
        if name in view.magic:
            return view.magic[name](view.host)
        value = view.extra.get(name)
        if value is None:
            if name in view.state.known:
                return view.state.known[name]
            value = self.task.get(name) or view.play.get(name)
        if value is None:
            facts = view.state.facts
            if facts is not None and name.startswith("ansible_") and not isinstance(facts, Pending):
                found = view.fact(name, OMIT)
                if found is not OMIT:
                    return found
            value = view.inventory(name)
        if value is not None:
            return self._template(name, value)
        if name == "omit":
            return OMIT
        if name == "ansible_host":
            return view.host
        if name in ("ansible_facts", "facts") or (name.startswith("ansible_") and name not in CONNECTION):
            return view.fact(name, default)
        return default

    def _template(self, name: str, value: Value) -> Any:
        if name in self._busy:
            cycle = " -> ".join([*self._busy[self._busy.index(name) :], name])
            raise InputError(f"variable {name!r} contains itself: {cycle}", why=f"on host {self.host}")
        self._busy.append(name)
        try:
            found = value.evaluate(self)
            if value.static and isinstance(found, (dict, list)):
                found = _copy(found)
        except Signal:
            raise
        except Exception as error:
            if not is_undefined(error):
                raise
            from coreops.playbook.jinja import missing_through

            return missing_through(error, name)
        finally:
            self._busy.pop()
        self._cache[name] = found
        return found

    def names(self) -> set[str]:
        """Every name that has a value."""
        view = self.view
        known = {*self.local, *view.magic, *view.extra, *view.state.known, *self.task, *view.play}
        if isinstance(view.state.facts, Mapping):
            known.update(f"ansible_{name}" for name in view.state.facts)
        return {*known, *view.inventory_names(), "omit", "ansible_facts", "ansible_host"}

    def advice(self, name: str) -> str:
        """What to do about an undefined name."""
        if name.startswith("ansible_") and self.view.state.facts is None and not self.view.gather:
            return "this play says gather_facts: false; remove that, or run the setup module first"
        return did_you_mean(name, self.names()) or (
            "define it in the inventory, the play's vars, or with --extra-vars; or give a default: | default(...)"
        )

    def __getitem__(self, name: str) -> Any:
        found = self.resolve(name, OMIT)
        if found is OMIT and name != "omit":
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (self.resolve(name, OMIT) is not OMIT or name == "omit")

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.names()))

    def __len__(self) -> int:
        return len(self.names())


def _copy(value: Any) -> Any:
    """Templates may change lists and mappings they are given; nobody else may see it."""
    if isinstance(value, dict):
        return {key: _copy(part) for key, part in value.items()}
    return [_copy(part) for part in value] if isinstance(value, (list, tuple)) else value
