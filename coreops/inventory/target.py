"""How to reach a host of the inventory: its variables, and the command line's defaults, become a Target.

Looks whether key files and known_hosts exist; opens no connection. Never repeats a password in an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from coreops.errors import InputError, did_you_mean
from coreops.inventory.aliases import Reader, Render, as_bool
from coreops.inventory.data import Setting
from coreops.inventory.files import expand_home
from coreops.inventory.inventory import Inventory
from coreops.inventory.ssh_args import SshArgs, split_args, understand
from coreops.model import Position, Target

TransportName = Literal["paramiko", "openssh", "local", "fake"]

_TRANSPORTS: Mapping[str, TransportName | None] = {
    **dict.fromkeys(("ssh", "smart", "ansible.builtin.ssh")),
    **dict.fromkeys(("paramiko", "paramiko_ssh", "ansible.builtin.paramiko_ssh"), "paramiko"),
    **dict.fromkeys(("local", "ansible.builtin.local"), "local"),
    "openssh": "openssh",
    "fake": "fake",
}
_EXTRA_ARGS = ("ansible_ssh_args", "ansible_ssh_extra_args")


def target(
    inventory: Inventory,
    host: str,
    *,
    user: str | None = None,
    port: int | None = None,
    identity_files: Sequence[Path] = (),
    transport: TransportName = "paramiko",
    accept_new: bool = False,
    become: bool = False,
    become_password: str | None = None,
    connect_timeout: float = 15.0,
    render: Render | None = None,
) -> Target:
    """Return how to reach ``host``. The keyword arguments count where the inventory says nothing.

    ``render`` templates values with ``{{ }}``; without it they are refused. Raises InputError with file:line:column.
    """
    reader = Reader(inventory, host, render)
    reader.refuse()
    base = inventory.base
    kind = _transport(reader.get("transport"), transport)
    args, meaning = _ssh_args(reader)
    if kind == "paramiko" and meaning.foreign:
        raise InputError(
            f"the paramiko transport cannot honour {meaning.foreign[0]!r}",
            where=_place(reader),
            why="only the ssh program can",
            next="set coreops_transport: openssh for these hosts, or remove the argument",
        )
    address = reader.get("address")
    said_user, said_port = reader.get("user"), reader.get("port")
    password, timeout = reader.get("become_password"), reader.get("connect_timeout")
    known = [*_paths(reader.get("known_hosts"), base), *(_path(p, base) for p in _given(meaning, "userknownhostsfile"))]
    return Target(
        name=host,
        address=_text(address, "address") if address else host,
        port=_port(said_port.value, said_port.position) if said_port else _arg_port(meaning, reader) or port,
        user=_text(said_user, "user") if said_user else _first(meaning, "user") or user,
        identity_files=_identity_files(reader, meaning, base) or tuple(identity_files),
        ssh_args=args if kind == "openssh" else (),
        proxy_jump=_proxy_jump(reader, meaning),
        transport=kind,
        known_hosts=(*known, *_known_hosts(base, accept_new)),
        accept_new=accept_new,
        become=_bool(reader.get("become"), become),
        become_password=str(password.value) if password else become_password,
        connect_timeout=_timeout(timeout, meaning, reader) or connect_timeout,
    )


def _transport(setting: Setting | None, default: TransportName) -> TransportName:
    if setting is None:
        return default
    word = str(setting.value)
    if word not in _TRANSPORTS:
        near = did_you_mean(word, _TRANSPORTS)
        raise InputError(
            f"unknown transport {word!r}", where=setting.position, next=near or "use paramiko, openssh or local"
        )
    return _TRANSPORTS[word] or default


def _ssh_args(reader: Reader) -> tuple[tuple[str, ...], SshArgs]:
    args: list[str] = []
    extra = [reader.named(name) for name in _EXTRA_ARGS]
    where = Position("ssh arguments")
    for setting in (extra[0], reader.get("ssh_args"), extra[1]):
        if setting is None or setting.value is None:
            continue
        where = setting.position
        parts = setting.value if isinstance(setting.value, list) else split_args(str(setting.value), where)
        args += [str(part) for part in parts]
    return tuple(args), understand(tuple(args), where)


def _place(reader: Reader) -> Position | None:
    settings = [reader.get("ssh_args"), *(reader.named(name) for name in _EXTRA_ARGS)]
    return next((setting.position for setting in settings if setting), None)


def _identity_files(reader: Reader, meaning: SshArgs, base: Path) -> tuple[Path, ...]:
    setting = reader.get("identity_file")
    where = setting.position if setting else _place(reader)
    paths = [*_paths(setting, base), *(_path(text, base) for text in _given(meaning, "identityfile"))]
    for path in paths:
        if not path.is_file():
            elsewhere = "a relative path belongs to the inventory's folder" if _relative_hit(path, base) else None
            raise InputError(
                f"the key file {str(path)!r} of host {reader.host!r} is missing",
                where=where,
                why=elsewhere,
                next="correct the path, or make a key with ssh-keygen -t ed25519",
            )
    return tuple(dict.fromkeys(paths))


def _relative_hit(path: Path, base: Path) -> bool:
    return path.is_relative_to(base) and path.relative_to(base).is_file()


def _proxy_jump(reader: Reader, meaning: SshArgs) -> str | None:
    setting = reader.get("proxy_jump")
    by_args = _first(meaning, "proxyjump")
    if setting is None:
        return None if by_args in (None, "none") else by_args
    jump = ",".join(map(str, setting.value)) if isinstance(setting.value, list) else _text(setting, "jump host")
    if by_args not in (None, jump):
        raise InputError(
            f"coreops_proxy_jump and the ssh arguments of host {reader.host!r} name different jump hosts",
            where=setting.position,
            why=f"the ssh arguments are set at {_place(reader)}",
            next="keep one of them",
        )
    return None if jump == "none" else jump


def _known_hosts(base: Path, accept_new: bool) -> tuple[Path, ...]:
    """The inventory's own known_hosts, then the user's. New keys go into the first, which may have to be made."""
    project = base / "known_hosts"
    own = (project,) if accept_new or project.is_file() else ()
    return (*own, expand_home(Path("~/.ssh/known_hosts")))


def _arg_port(meaning: SshArgs, reader: Reader) -> int | None:
    text = _first(meaning, "port")
    return None if text is None else _port(text, _place(reader))


def _port(value: Any, where: Position | None) -> int:
    text = str(value)
    if text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536:
        return int(text)
    raise InputError(f"{value!r} is not a port", where=where, next="a port is a number from 1 to 65535")


def _timeout(setting: Setting | None, meaning: SshArgs, reader: Reader) -> float | None:
    value = setting.value if setting else _first(meaning, "connecttimeout")
    if value is None:
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = 0.0
    if not (seconds > 0 and math.isfinite(seconds)):
        where = setting.position if setting else _place(reader)
        raise InputError(f"{value!r} is not a timeout", where=where, next="write seconds, e.g. 15")
    return seconds


def _bool(setting: Setting | None, default: bool) -> bool:
    if setting is None:
        return default
    truth = as_bool(setting.value)
    if truth is None:
        raise InputError(
            f"{setting.value!r} is neither true nor false", where=setting.position, next="write true or false"
        )
    return truth


def _text(setting: Setting, what: str) -> str:
    """A word that may become an argument of ssh: it must not look like an option or hold spaces."""
    text = str(setting.value)
    if isinstance(setting.value, dict | list | bool) or not text or text[0] == "-" or not _is_word(text):
        raise InputError(
            f"{setting.value!r} cannot be the {what}",
            where=setting.position,
            next="write one word without a leading dash",
        )
    return text


def _is_word(text: str) -> bool:
    return text.isprintable() and not any(char.isspace() for char in text)


def _paths(setting: Setting | None, base: Path) -> list[Path]:
    if setting is None:
        return []
    values = setting.value if isinstance(setting.value, list) else [setting.value]
    return [_path(str(value), base) for value in values if str(value)]


def _path(text: str, base: Path) -> Path:
    return base / expand_home(Path(text))


def _given(meaning: SshArgs, option: str) -> list[str]:
    return meaning.options.get(option, [])


def _first(meaning: SshArgs, option: str) -> str | None:
    return next(iter(_given(meaning, option)), None)
