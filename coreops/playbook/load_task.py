"""One task or handler: YAML node -> Task, validated wholly. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from coreops.errors import InputError, did_you_mean
from coreops.model import Position
from coreops.modules.arguments import explained, parse
from coreops.modules.base import Module
from coreops.modules.declared import Arguments
from coreops.playbook import freeform, keywords, reading
from coreops.playbook.plays import Placed, Task
from coreops.playbook.source import Node
from coreops.playbook.values import Value, prepare

_COLLECTIONS = ("ansible.builtin.", "ansible.legacy.")


class Registry(Protocol):
    """Where modules come from."""

    def get(self, name: str) -> Module[Any]: ...

    def names(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Defaults:
    """What a play says for all its tasks."""

    become: Placed | None = None
    become_user: Placed | None = None
    tags: frozenset[str] = frozenset()
    ignore_errors: Placed | None = None
    environment: tuple[Placed, ...] = ()
    check_mode: bool | None = None
    diff: bool | None = None
    no_log: Placed | None = None
    timeout: Placed | None = None
    any_errors_fatal: bool = False
    handlers: frozenset[str] = field(default_factory=frozenset)


def shared(found: Mapping[str, Node], what: str, base: Defaults) -> dict[str, Any]:
    """The keywords that plays and tasks have in common; what is not written comes from ``base``."""

    def read(name: str, reader: Any) -> Any:
        return reader(found[name], name) if name in found else getattr(base, name)

    environment = base.environment
    if "environment" in found:
        node = found["environment"]
        if not isinstance(node.value, (dict, list, str)):
            raise node.error("environment is a mapping of names to values")
        environment += tuple(reading.placed(each) for each in (node.elements or (node,)))
    return {
        "become": read("become", reading.flag),
        "become_user": reading.placed(found["become_user"]) if "become_user" in found else base.become_user,
        "tags": base.tags | frozenset(reading.words(found["tags"], "tags") if "tags" in found else ()),
        "ignore_errors": read("ignore_errors", reading.flag),
        "environment": environment,
        "check_mode": read("check_mode", reading.boolean),
        "diff": read("diff", reading.boolean),
        "no_log": read("no_log", reading.flag),
        "timeout": read("timeout", reading.number),
        "any_errors_fatal": read("any_errors_fatal", reading.boolean),
    }


def load_task(node: Node, index: int, defaults: Defaults, registry: Registry, *, handler: bool = False) -> Task:
    """Read one task. Raises InputError at the place of the mistake."""
    what = "a handler" if handler else "a task"
    found = reading.fields(node, what)
    known = keywords.HANDLER if handler else keywords.TASK
    called, module = _module(node, found, known, what, registry)
    common = shared(found, what, defaults)
    name = reading.placed(found["name"]).value if found.get("name") and found["name"].value is not None else None
    position = node.keys[called]
    options: dict[str, Any] = {**common, "name": name, "index": index, "position": position, "handler": handler}
    options["when"] = reading.conditions(found["when"], "when") if "when" in found else ()
    if module is None:
        options["meta"] = _meta(found, called, position)
        return Task(title=f"meta: {options['meta']}", **options)
    args = _arguments(module, found[called], position, found.get("args"))
    options |= _flow(found) | _loop(node, found)
    options["notify"] = _notify(found, defaults.handlers)
    options["listen"] = reading.words(found["listen"], "listen") if "listen" in found else ()
    options["vars"] = reading.variables(found["vars"], "vars") if "vars" in found else {}
    title = str(found["name"].value) if name is not None else module.name
    return Task(module=module, title=title, args=args, arguments=check_arguments(module, args, position), **options)


def _module(
    node: Node, found: Mapping[str, Node], known: frozenset[str], what: str, registry: Registry
) -> tuple[str, Module[Any] | None]:
    modules: dict[str, Module[Any] | None] = {}
    strange: list[str] = []
    for key in found:
        if key in known:
            continue
        if _short(key) == "meta":
            modules[key] = None
        elif _short(key) in registry.names():
            modules[key] = registry.get(key)
        else:
            strange.append(key)
    for key in strange:
        where = node.keys[key]
        if _short(key) in keywords.LATER_TASK or (modules and key != "listen"):
            raise reading.unknown(_short(key), where, what, known, keywords.LATER_TASK)
        if key == "listen":
            raise InputError("'listen' belongs on a handler", where=where)
        words = [*registry.names(), *known]
        raise InputError(
            f"unknown module or keyword {key!r}",
            where=where,
            why=did_you_mean(_short(key), words) or "coreops has no module of this name",
            next=f"the modules are: {', '.join(registry.names())}",
        )
    if not modules:
        raise node.error(f"{what} without a module", next=f"add one of: {', '.join(registry.names())}")
    if len(modules) > 1:
        first, second = list(modules)[:2]
        raise InputError(
            f"{what} with two modules, {first!r} and {second!r}",
            where=node.keys[second],
            next="make two tasks of it: begin the second with '- '",
        )
    return next(iter(modules.items()))


def _short(name: str) -> str:
    for prefix in _COLLECTIONS:
        name = name.removeprefix(prefix)
    return name


def _meta(found: Mapping[str, Node], called: str, position: Position) -> str:
    action = reading.text(found[called], "meta")
    if action not in keywords.META:
        raise reading.unknown(action, found[called].position, "meta", keywords.META, keywords.LATER_META)
    for key in found:
        if key not in (called, "name", "when", "tags"):
            raise InputError(f"{key!r} means nothing on a meta task", where=position)
    return action


def _flow(found: Mapping[str, Node]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name in ("failed_when", "changed_when", "until"):
        options[name] = reading.conditions(found[name], name) if name in found else None
    for name in ("retries", "delay"):
        options[name] = reading.number(found[name], name) if name in found else None
    options["register"] = reading.identifier(found["register"], "register") if "register" in found else ""
    return options


def _loop(node: Node, found: Mapping[str, Node]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if "loop" in found and "with_items" in found:
        raise InputError("loop and with_items on one task", where=node.keys["with_items"], next="keep loop")
    for name in ("loop", "with_items"):
        if name in found:
            value = found[name]
            if not isinstance(value.value, list) and not (isinstance(value.value, str) and "{{" in value.value):
                raise value.error(
                    f"{name} is a list", next='write "{{ name }}" for a variable, | dict2items for a mapping'
                )
            options["loop"] = reading.placed(value)
            options["loop_flat"] = name == "with_items"
    if "loop_control" in found:
        if "loop" not in options:
            raise InputError("loop_control without a loop", where=node.keys["loop_control"])
        control = reading.check_words(
            found["loop_control"], "loop_control", keywords.LOOP_CONTROL, keywords.LATER_LOOP_CONTROL
        )
        for name in ("loop_var", "index_var"):
            if name in control:
                options[name] = reading.identifier(control[name], name)
        if "label" in control:
            options["label"] = reading.placed(control["label"])
    return options


def _notify(found: Mapping[str, Node], handlers: frozenset[str]) -> tuple[Placed, ...]:
    if "notify" not in found:
        return ()
    node = found["notify"]
    names = tuple(reading.placed(each) for each in (node.elements if isinstance(node.value, list) else (node,)))
    for name in names:
        if name.value.static:
            check_handler(name.value.evaluate(None), name.position, handlers)  # type: ignore[arg-type]
    return names


def check_handler(name: object, where: Position, handlers: frozenset[str]) -> str:
    """The name of a handler, as notify gives it. Raises InputError when there is none of this name."""
    if not isinstance(name, str) or name not in handlers:
        raise InputError(
            f"no handler is called {name!r}",
            where=where,
            why=did_you_mean(str(name), handlers),
            next=f"handlers here: {', '.join(sorted(handlers))}" if handlers else "this play has no handlers",
        )
    return name


def _arguments(module: Module[Any], node: Node, position: Position, extra: Node | None) -> dict[str, Placed]:
    args: dict[str, Placed] = {}
    value = node.value
    if isinstance(value, dict):
        reading.fields(node, f"the arguments of {module.name}")
        args = {key: Placed(prepare(child), node.keys[key]) for key, child in node.items.items()}
    elif value is not None and (isinstance(value, list) or (not isinstance(value, str) and not module.free_form)):
        raise node.error(
            f"the arguments of {module.name} are neither a mapping nor a text",
            next=f"write `{module.name}:` and its arguments below it, one a line",
        )
    elif value is not None:
        try:
            args = {key: _placed_text(one, node.position) for key, one in _from_text(module, str(value)).items()}
        except ValueError as error:
            raise node.error(
                f"cannot read the arguments of {module.name}",
                why=str(error),
                next=f"quote values with blanks, or write `{module.name}:` and its arguments below it, one a line",
            ) from None
    if extra is not None and extra.value is not None:
        for key, child in reading.fields(extra, "args").items():
            args.setdefault(key, Placed(prepare(child), extra.keys[key]))
    return args


def _from_text(module: Module[Any], text: str) -> dict[str, str]:
    if not module.free_form:
        return freeform.pairs(text)
    if module.name in ("command", "shell", "script"):
        rest, options = freeform.command(text)
        return {module.free_form: rest, **options} if rest.strip() else dict(options)
    return {module.free_form: text}


def _placed_text(value: str, position: Position) -> Placed:
    return Placed(prepare(Node(value, position)), position)


def check_arguments(module: Module[Any], args: Mapping[str, Placed], position: Position) -> Arguments | None:
    """Check names and everything that is known now; the typed arguments when all is. Raises InputError."""

    def locate(name: str) -> Position:
        return args[name].position if name in args else position

    fixed: dict[str, Any] = {key: _static(one.value) for key, one in args.items() if one.value.static}
    if len(fixed) == len(args):
        return parse(module, fixed, position, locate)
    for mistake in module.arguments.mistakes(fixed, later=args.keys() - fixed.keys()):
        raise explained(module, mistake, locate(mistake.name))
    return None


def _static(value: Value) -> Any:
    return value.evaluate(None)  # type: ignore[arg-type]
