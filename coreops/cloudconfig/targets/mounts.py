"""Swap and mounts as units of systemd, for targets that have no key for them, or one that cannot be trusted."""

from __future__ import annotations

from collections.abc import Sequence

from coreops.cloudconfig.model.storage import Filesystem, Storage, Swap
from coreops.cloudconfig.model.unit import Unit, escaped
from coreops.errors import InputError

_MAKER = "coreops-swap-file.service"
# The file has its name when all of it is there: a machine that is switched off meanwhile begins again. dd, because a
# swap file must have no holes; chattr, because on btrfs it must not be copied on write, and fails everywhere else.
_MAKE = (
    'set -e; mkdir -p "$${1%%/*}"; rm -f "$$1.new"; umask 077; : > "$$1.new"; chattr +C "$$1.new" 2>/dev/null || :; '
    'dd if=/dev/zero of="$$1.new" bs=1M count="$$2" conv=fsync; mkswap "$$1.new"; mv "$$1.new" "$$1"'
)
_SWAP_FILE = """[Unit]
Description=Make the swap file {file}
DefaultDependencies=no
RequiresMountsFor={file}
After=local-fs.target
Before=shutdown.target
Conflicts=shutdown.target
ConditionPathExists=!{file}

[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=infinity
ExecStart=/bin/sh -c '{make}' sh {file} {size}
"""
_SWAP = """[Unit]
Description=Swap on {what}
{more}
[Swap]
What={what}
{options}
[Install]
WantedBy={wanted}
"""
# Not before swap.target, as swap is by default: booting would wait for a file that takes minutes to make.
_AFTER_MAKING = f"""Requires={_MAKER}
After={_MAKER}
DefaultDependencies=no
Before=shutdown.target umount.target
Conflicts=shutdown.target umount.target
"""
_MOUNT = """[Unit]
Description=Mount {device}
Requires=systemd-fsck@{unit}.service
After=systemd-fsck@{unit}.service

[Mount]
What={device}
Where={path}
Type={format}
{options}
[Install]
RequiredBy=local-fs.target
"""


def with_mounts(units: Sequence[Unit], storage: Storage | None, swap: Swap | None) -> tuple[Unit, ...]:
    """The units with those for mounts and swap. Raises InputError when the node writes one of these itself.

    They are started in this order: first what others may keep their files on; a swap file, which takes minutes, last.
    """
    before = storage_units(storage) if storage else ()
    after = swap_units(swap) if swap else ()
    written = {unit.name for unit in units}
    for made, key in (*((unit, "storage.filesystems") for unit in before), *((unit, "swap") for unit in after)):
        if made.name in written:
            raise InputError(f"{key} becomes the unit {made.name}, and so is one of coreos.units", next="remove one")
        written.add(made.name)
    return (*before, *units, *after)


def swap_units(swap: Swap) -> tuple[Unit, ...]:
    """The units that make the swap file once, and swap to it on every boot."""
    content = _SWAP_FILE.format(file=swap.file, size=swap.size_mib, make=_MAKE)
    use = _SWAP.format(what=swap.file, more=_AFTER_MAKING, options="", wanted="multi-user.target")
    return (Unit(name=_MAKER, content=content), _started(f"{escaped(swap.file)}.swap", use))


def storage_units(storage: Storage) -> tuple[Unit, ...]:
    """The units that mount filesystems, and swap to partitions; they make none."""
    return tuple(
        _mount(each) if each.path else _swap(each)
        for each in storage.filesystems
        if each.path is not None or each.format == "swap"
    )


def is_mounted(path: str, storage: Storage | None) -> bool:
    """Is the path on one of the filesystems?"""
    places = [each.path for each in storage.filesystems if each.path] if storage else []
    return any(f"{path}/".startswith(f"{place}/") for place in places)


def _mount(one: Filesystem) -> Unit:
    assert one.path is not None
    # In a unit's file, \ and % begin something: a device's name may hold them.
    content = _MOUNT.format(
        device=_line(one.device),
        unit=_line(escaped(one.device)),
        path=_line(one.path),
        format=one.format,
        options=_options(one),
    )
    return _started(f"{escaped(one.path)}.mount", content)


def _swap(one: Filesystem) -> Unit:
    content = _SWAP.format(what=_line(one.device), more="", options=_options(one), wanted="swap.target")
    return _started(f"{escaped(one.device)}.swap", content)


def _options(one: Filesystem) -> str:
    return f"Options={_line(','.join(one.mount_options))}\n" if one.mount_options else ""


def _line(text: str) -> str:
    return text.replace("%", "%%")


def _started(name: str, content: str) -> Unit:
    return Unit(name=name, content=content, enable=True, command="start")
