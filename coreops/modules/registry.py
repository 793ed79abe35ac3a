"""Finds a module by the name a playbook uses. Imports only the file that is asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from coreops.errors import InputError, did_you_mean
from coreops.model import Position
from coreops.modules.base import Module

_CLASSES = {
    "assert": "assert_:Assert",
    "command": "command:Command",
    "copy": "copy:Copy",
    "debug": "debug:Debug",
    "fail": "fail:Fail",
    "file": "file:File",
    "get_url": "get_url:GetUrl",
    "group": "group:Group",
    "lineinfile": "lineinfile:LineInFile",
    "ping": "ping:Ping",
    "reboot": "reboot:Reboot",
    "script": "script:Script",
    "set_fact": "set_fact:SetFact",
    "setup": "setup:Setup",
    "shell": "shell:Shell",
    "stat": "stat:Stat",
    "systemd": "systemd:Systemd",
    "template": "template:Template",
    "unarchive": "unarchive:Unarchive",
    "user": "user:User",
    "wait_for": "wait_for:WaitFor",
}
_ALIASES = {"service": "systemd", "systemd_service": "systemd", "gather_facts": "setup"}
_COLLECTIONS = ("ansible.builtin.", "ansible.legacy.", "coreops.builtin.")


def names() -> tuple[str, ...]:
    """Every name that ``get`` knows, sorted, without collection prefixes."""
    return tuple(sorted({*_CLASSES, *_ALIASES}))


def short_name(name: str) -> str:
    """Strip ``ansible.builtin.`` and resolve an alias: the name the module is documented under."""
    for prefix in _COLLECTIONS:
        name = name.removeprefix(prefix)
    return _ALIASES.get(name, name)


def known(name: str) -> bool:
    """Is this the name of a module?"""
    return short_name(name) in _CLASSES


def get(name: str, position: Position | None = None) -> Module[Any]:
    """Return the module. Raises InputError with the nearest name."""
    short = short_name(name)
    if short not in _CLASSES:
        raise InputError(
            f"unknown module {name!r}",
            where=position,
            why=did_you_mean(short, names()) or "coreops has no module of this name",
            next=f"the modules are: {', '.join(names())}",
        )
    return _load(short)


@cache
def _load(short: str) -> Module[Any]:
    file, _, cls = _CLASSES[short].partition(":")
    module = getattr(import_module(f"coreops.modules.{file}"), cls)()
    assert isinstance(module, Module)
    return module
