"""From a Target and the operator's ssh_config to the hops a connection takes. Reads files; opens no connection.

The target's own settings win over ``ssh_args``, those over ssh_config. Only what paramiko can honour is understood.
"""

from __future__ import annotations

import getpass
import shlex
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreops.errors import InputError
from coreops.frozen import frozen
from coreops.model import Target
from coreops.transport.hostkeys import DEFAULT_FILES, HostKeyPolicy
from coreops.transport.lean import import_paramiko

if TYPE_CHECKING:
    from paramiko import SSHConfig

MAX_HOPS = 8
DEFAULT_TIMEOUT = Target(name="", address="").connect_timeout
OPTION_LETTERS = {"J": "proxyjump", "p": "port", "l": "user", "i": "identityfile", "F": "F", "o": "o"}
HARMLESS_FLAGS = frozenset("46ACTaqvx")


@frozen
class Hop:
    """One SSH server on the way, the last one being the host itself."""

    name: str
    host: str
    port: int
    user: str
    identity_files: tuple[Path, ...]
    default_keys: bool
    host_keys: HostKeyPolicy
    timeout: float
    proxy_command: str | None = None

    @property
    def key(self) -> tuple[str, int, str]:
        return (self.host, self.port, self.user)


def parse_ssh_args(args: tuple[str, ...], where: str) -> dict[str, list[str]]:
    """Read ssh's command-line options into lower-case option names. Raises InputError for unsafe or unknown ones."""
    options: dict[str, list[str]] = {}
    rest = list(args)
    while rest:
        word = rest.pop(0)
        letter, value = word[1:2], word[2:]
        if not word.startswith("-") or not letter:
            raise InputError(f"{word!r} is not an ssh option", where=where, next="check ansible_ssh_common_args")
        if letter not in OPTION_LETTERS:
            if set(word[1:]) <= HARMLESS_FLAGS:
                continue
            raise InputError(
                f"ssh option {word!r} is not understood here",
                where=where,
                next="set coreops_transport: openssh for this host",
            )
        if not value:
            if not rest:
                raise InputError(f"ssh option {word!r} needs a value", where=where)
            value = rest.pop(0)
        name = OPTION_LETTERS[letter]
        if letter == "o":
            name, _, value = value.replace("=", " ", 1).strip().partition(" ")
            name, value = name.lower(), value.strip()
        options.setdefault(name, []).append(value)
    return options


def refuse_unsafe(options: dict[str, list[str]], where: str) -> bool:
    """Refuse to switch host key checks off; return whether new keys may be recorded."""
    policy = options.get("stricthostkeychecking", ["yes"])[0].lower()
    if policy in ("no", "off"):
        raise InputError(
            f"StrictHostKeyChecking={policy} is refused: coreops always checks host keys",
            where=where,
            next="remove the option, and pass --accept-new once to record the keys",
        )
    return policy == "accept-new"


_configs: dict[Path, tuple[int, SSHConfig]] = {}
_configs_lock = threading.Lock()


def load_config(path: Path) -> SSHConfig | None:
    """Parse an ssh_config file with its Includes, once per change; None when there is no such file."""
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        return None
    import_paramiko()
    from paramiko import ConfigParseError, SSHConfig

    with _configs_lock:
        cached = _configs.get(path)
        if cached is None or cached[0] != stamp:
            try:
                config: Any = SSHConfig.from_text(_expand(path, 0))
                # ProxyCommand's %r and %p are the target's, which paramiko does not know
                tokens = {key: value for key, value in config.TOKENS_BY_CONFIG_KEY.items() if key != "proxycommand"}
                config.TOKENS_BY_CONFIG_KEY = tokens
                cached = _configs[path] = (stamp, config)
            except ConfigParseError as error:
                raise InputError("ssh_config is not understood", where=path, why=str(error)) from None
    return cached[1]


def _expand(path: Path, depth: int) -> str:
    lines: list[str] = []
    for line in path.read_text("utf-8", "replace").splitlines():
        words = line.replace("=", " ", 1).split(None, 1)
        if len(words) == 2 and words[0].lower() == "include" and depth < 16:
            import glob  # compiles as much as a connection takes

            for pattern in shlex.split(words[1]):
                full = str(Path("~/.ssh").expanduser() / Path(pattern).expanduser())
                lines += [_expand(Path(name), depth + 1) for name in sorted(glob.glob(full))]
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _paths(values: list[str]) -> tuple[Path, ...]:
    return tuple(Path(word).expanduser() for value in values for word in shlex.split(value))


def split_jump(jump: str, where: str) -> tuple[str | None, str, int | None]:
    """Split ``[user@]host[:port]`` or ``ssh://...``."""
    rest = jump.strip().removeprefix("ssh://").rstrip("/")
    user, _, address = rest.rpartition("@")
    host, port = address, ""
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        port = port.removeprefix(":")
    elif address.count(":") == 1:
        host, _, port = address.partition(":")
    if not host or (port and not port.isdigit()):
        raise InputError(f"jump host {jump!r} is not [user@]host[:port]", where=where)
    return user or None, host, int(port) if port else None


def resolve(target: Target) -> tuple[Hop, ...]:
    """Return the way to a target: jump hosts first, the target last."""
    options = parse_ssh_args(target.ssh_args, target.name)
    accept_new = refuse_unsafe(options, target.name) or target.accept_new
    config = load_config(Path(options["F"][0] if "F" in options else "~/.ssh/config").expanduser())
    return _resolve(target, options, config, target.address, accept_new, 0)


def _resolve(
    target: Target, options: dict[str, list[str]], config: SSHConfig | None, address: str, accept_new: bool, depth: int
) -> tuple[Hop, ...]:
    if depth > MAX_HOPS:
        raise InputError("ProxyJump goes in a circle", where=target.name, next="check ProxyJump in ssh_config")
    entry: dict[str, Any] = _lookup(config, address, target.name)
    own = {name: values[0] for name, values in options.items()}
    host = own.get("hostname") or entry.get("hostname") or address
    port = target.port or _number(own.get("port") or entry.get("port"), 22, target.name)
    user = target.user or own.get("user") or entry.get("user") or getpass.getuser()
    keys = target.identity_files or _paths(options.get("identityfile", [])) or _paths(entry.get("identityfile", []))
    files = target.known_hosts or _paths(
        options.get("userknownhostsfile") or [entry.get("userknownhostsfile") or " ".join(DEFAULT_FILES)]
    )
    timeout = target.connect_timeout
    if timeout == DEFAULT_TIMEOUT:
        timeout = float(_number(own.get("connecttimeout") or entry.get("connecttimeout"), int(timeout), target.name))
    alias = own.get("hostkeyalias") or entry.get("hostkeyalias")
    policy = HostKeyPolicy(files, alias or host, 22 if alias else port, target.name, accept_new)
    hop = Hop(target.name, host, port, user, keys, not target.identity_files, policy, timeout)
    jump = target.proxy_jump or own.get("proxyjump")
    command = own.get("proxycommand")
    if jump is None and command is None:
        jump, command = entry.get("proxyjump"), entry.get("proxycommand")
    if jump and jump.lower() != "none":
        return (*_jumps(target, config, jump, accept_new, depth), hop)
    if command and command.lower() != "none":
        expanded = command.replace("%%", "\0").replace("%h", host).replace("%p", str(port)).replace("%r", user)
        return (Hop(hop.name, host, port, user, keys, hop.default_keys, policy, timeout, expanded.replace("\0", "%")),)
    return (hop,)


def _jumps(target: Target, config: SSHConfig | None, jump: str, accept_new: bool, depth: int) -> tuple[Hop, ...]:
    hops: tuple[Hop, ...] = ()
    for index, word in enumerate(jump.split(",")):
        user, host, port = split_jump(word, target.name)
        bare = Target(
            name=target.name,
            address=host,
            user=user,
            port=port,
            known_hosts=target.known_hosts,
            connect_timeout=target.connect_timeout,
        )
        way = _resolve(bare, {}, config, host, accept_new, depth + 1)
        last = way[-1]
        keys = last.identity_files + tuple(key for key in target.identity_files if key not in last.identity_files)
        last = replace(last, identity_files=keys, default_keys=True)
        hops = (*way[:-1], last) if index == 0 else (*hops, last)
    return hops


def _lookup(config: SSHConfig | None, address: str, where: str) -> dict[str, Any]:
    if config is None:
        return {"hostname": address}
    from paramiko import SSHException

    try:
        return dict(config.lookup(address))
    except (SSHException, ImportError) as error:
        raise InputError(
            "ssh_config cannot be applied",
            where=where,
            why=str(error),
            next="set coreops_transport: openssh for this host",
        ) from None


def _number(text: str | None, default: int, where: str) -> int:
    if text is None:
        return default
    if not text.isdigit():
        raise InputError(f"{text!r} in ssh_config or ssh_args is not a number", where=where)
    return int(text)
