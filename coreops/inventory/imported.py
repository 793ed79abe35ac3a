"""Writes the hosts of an ssh_config into an inventory's folder: ``ssh.yml``, and their keys beside it. Files only."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from coreops.errors import InputError
from coreops.inventory import ssh_config
from coreops.inventory.names import check_group
from coreops.model import Position
from coreops.yaml_marks import decode

FILE: Final = "ssh.yml"


def import_hosts(
    config: Path, folder: Path, *, group: str = "", host_keys: Path | None = None
) -> tuple[ssh_config.SshHost, ...]:
    """Read an ssh_config (``-``: stdin) and write the folder. Raises InputError before anything is written."""
    stdin = config == Path("-")
    try:
        data = sys.stdin.buffer.read() if stdin else config.read_bytes()
    except OSError as error:
        raise InputError(f"{config} cannot be read", why=error.strerror) from None
    name = "stdin" if stdin else str(config)
    hosts = ssh_config.parse(decode(data, name), name)
    if group:
        check_group(group, Position("--group"))
    target = folder / FILE
    if target.exists() and not target.read_text(errors="replace").startswith(ssh_config.MARK):
        raise InputError(
            f"{target} was not written by `coreops inventory import-ssh-config` and would be overwritten",
            next="move it away, or name another folder",
        )
    known = ssh_config.known_hosts(hosts, {host.name: _keys(host_keys, host.name) for host in hosts})
    folder.mkdir(parents=True, exist_ok=True)
    if host_keys is not None:
        _write(folder / ssh_config.KNOWN_HOSTS, known)
    _write(target, ssh_config.inventory_yaml(hosts, group=group, known_hosts=host_keys is not None))
    return hosts


def _keys(folder: Path | None, host: str) -> str:
    if folder is None:
        return ""
    try:
        return (folder / f"{host}.pub").read_text("utf-8", "replace")
    except OSError as error:
        raise InputError("its host keys are not known", where=host, why=f"{error.filename}: {error.strerror}") from None


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
