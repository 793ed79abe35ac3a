"""A playbook file -> Playbook, validated wholly before anything runs. Reads files; knows no hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coreops.errors import InputError, did_you_mean
from coreops.playbook import keywords, reading
from coreops.playbook.load_task import Defaults, Registry, load_task, shared
from coreops.playbook.plays import Placed, Play, Playbook, Task
from coreops.playbook.source import Node, read_yaml
from coreops.playbook.strategy import STRATEGIES
from coreops.playbook.values import has_template

_SECTIONS = ("pre_tasks", "tasks", "post_tasks")


def default_registry() -> Registry:
    """The modules that coreops ships."""
    from coreops.modules import registry

    return registry


def load_playbook(path: Path, registry: Registry | None = None) -> Playbook:
    """Read a playbook and all it imports. Raises InputError with file:line:col for the first mistake."""
    path = Path(path)
    loader = _Loader(registry or default_registry())
    loader.file(path, (), frozenset())
    return Playbook(path, tuple(loader.plays))


class _Loader:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.plays: list[Play] = []

    def file(self, path: Path, importers: tuple[Path, ...], tags: frozenset[str]) -> None:
        """Add the plays of one file."""
        real = path.resolve()
        if real in importers:
            raise InputError("playbooks import each other in a circle", where=path)
        root = read_yaml(path)
        if root is None or root.value in (None, []):
            raise InputError("the playbook is empty", where=path, next="begin it with '- hosts: all'")
        if not isinstance(root.value, list):
            raise root.error("a playbook is a list of plays", next="begin it with '- hosts: ...'")
        for node in root.elements:
            found = reading.fields(node, "a play")
            called = next((key for key in found if key.removeprefix("ansible.builtin.") == "import_playbook"), None)
            if called is None:
                self.plays.append(self._play(node, found, path, tags))
                continue
            for key in found.keys() - {called} - keywords.IMPORT:
                raise reading.unknown(
                    key, node.keys[key], "import_playbook", keywords.IMPORT, keywords.PLAY | keywords.TASK
                )
            name = reading.text(found[called], "import_playbook")
            target = path.parent / name
            if not target.is_file():
                raise found[called].error(f"no playbook {name!r}", why=f"looked for {target}")
            extra = frozenset(reading.words(found["tags"], "tags") if "tags" in found else ())
            self.file(target, (*importers, real), tags | extra)

    def _play(self, node: Node, found: dict[str, Node], path: Path, tags: frozenset[str]) -> Play:
        for key in found:
            if key not in keywords.PLAY:
                if key in self._registry.names() or key in keywords.TASK - keywords.PLAY:
                    raise InputError(
                        f"{key!r} belongs to a task, not to a play",
                        where=node.keys[key],
                        next="a playbook is a list of plays; put tasks below 'tasks:'",
                    )
                raise reading.unknown(key, node.keys[key], "a play", keywords.PLAY, keywords.LATER_PLAY)
        if "hosts" not in found:
            raise node.error("a play without hosts", next="add 'hosts: all' or a pattern")
        handlers = reading.items(found["handlers"], "handlers") if "handlers" in found else ()
        common = shared(found, "a play", Defaults(tags=tags))
        defaults = Defaults(**common, handlers=_handler_names(handlers))
        return Play(
            index=len(self.plays),
            position=node.position,
            base=path.parent,
            hosts=_hosts(found["hosts"]),
            name=str(found["name"].value) if "name" in found else "",
            tasks=self._tasks(found, defaults),
            handlers=tuple(
                load_task(each, index, defaults, self._registry, handler=True) for index, each in enumerate(handlers)
            ),
            vars=reading.variables(found["vars"], "vars") if "vars" in found else {},
            vars_files=_vars_files(found["vars_files"]) if "vars_files" in found else (),
            gather_facts=reading.boolean(found["gather_facts"], "gather_facts") if "gather_facts" in found else None,
            serial=_serial(found["serial"]) if "serial" in found else (),
            any_errors_fatal=common["any_errors_fatal"],
            max_fail_percentage=_percentage(found.get("max_fail_percentage")),
            strategy=_strategy(found["strategy"]) if "strategy" in found else "free",
        )

    def _tasks(self, found: dict[str, Node], defaults: Defaults) -> tuple[Task, ...]:
        tasks: list[Task] = []
        for section in _SECTIONS:
            nodes = reading.items(found[section], section) if section in found else ()
            for node in nodes:
                tasks.append(load_task(node, len(tasks), defaults, self._registry))
            if nodes and self._has_handlers(found):
                tasks.append(Task(index=len(tasks), position=nodes[-1].position, meta="flush", title="flush handlers"))
        return tuple(tasks)

    @staticmethod
    def _has_handlers(found: dict[str, Node]) -> bool:
        return bool("handlers" in found and found["handlers"].value)


def _handler_names(nodes: tuple[Node, ...]) -> frozenset[str]:
    names: set[str] = set()
    listened: set[str] = set()
    for node in nodes:
        found: dict[str, Any] = reading.fields(node, "a handler")
        if "name" in found:
            name = reading.text(found["name"], "a handler's name")
            if name in names:
                raise found["name"].error(f"two handlers are called {name!r}")
            names.add(name)
        elif "listen" not in found:
            raise node.error("a handler without a name", next="give it a name, so that tasks can notify it")
    listened = {
        word for node in nodes if "listen" in node.items for word in reading.words(node.items["listen"], "listen")
    }
    return frozenset(names | listened)


def _hosts(node: Node) -> Placed:
    if node.value is None or node.value in ("", []):
        raise node.error("hosts is empty", next="name a host, a group or a pattern; 'all' for every host")
    for each in node.elements or (node,):
        if not isinstance(each.value, (str, int)) or isinstance(each.value, bool):
            raise each.error("hosts is a pattern or a list of patterns")
    return reading.placed(node)


def _vars_files(node: Node) -> tuple[tuple[Placed, ...], ...]:
    entries = node.elements if isinstance(node.value, list) else (node,)
    found = []
    for entry in entries:
        choices = entry.elements if isinstance(entry.value, list) else (entry,)
        for choice in choices:
            if not isinstance(choice.value, str):
                raise choice.error("vars_files is a list of file names")
        found.append(tuple(reading.placed(choice) for choice in choices))
    return tuple(found)


def _serial(node: Node) -> tuple[int | str, ...]:
    found: list[int | str] = []
    for each in node.elements if isinstance(node.value, list) else (node,):
        text = reading.text(each, "serial").strip()
        digits = text.removesuffix("%")
        if not digits.isascii() or not digits.isdigit() or int(digits) == 0 or (text != digits and int(digits) > 100):
            raise each.error(f"serial is a number of hosts, a percentage, or a list of those; not {text!r}")
        found.append(text if text != digits else int(digits))
    if not found:
        raise node.error("serial is empty")
    return tuple(found)


def _percentage(node: Node | None) -> float | None:
    if node is None or node.value is None:
        return None
    if isinstance(node.value, str) and has_template(node.value):
        raise node.error("max_fail_percentage cannot hold a template", next="write it out")
    text = str(node.value).removesuffix("%")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100 or isinstance(node.value, bool):
        raise node.error(f"max_fail_percentage is a number from 0 to 100, not {node.value!r}")
    return value


def _strategy(node: Node) -> str:
    name = reading.text(node, "strategy")
    short = name.removeprefix("ansible.builtin.")
    if short not in STRATEGIES:
        raise node.error(
            f"unknown strategy {name!r}",
            why=did_you_mean(short, STRATEGIES),
            next=f"known: {', '.join(sorted(STRATEGIES))}",
        )
    return short
