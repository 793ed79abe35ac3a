"""etcd on Flatcar and Container Linux: ``etcd-member.service`` runs etcd 3 in a container, which reads ``ETCD_*``.

The wrapper (flatcar/scripts, app-admin/etcd-wrapper) hands its whole environment to the container, so a drop-in with
``Environment=`` is enough and leaves ExecStart to the image. The container sees of the machine ``ETCD_DATA_DIR`` as
/var/lib/etcd, ``ETCD_SSL_DIR`` as /etc/ssl/certs, /run and /usr/share/ca-certificates: paths are written as seen there.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import Final

from coreops.cloudconfig.loss import Loss
from coreops.cloudconfig.model.coreos import CoreOS
from coreops.cloudconfig.model.unit import Unit
from coreops.cloudconfig.targets import environment, parts

UNIT: Final = "etcd-member.service"
_OLD: Final = "etcd2.service"
_ENDED = {"etcd.service": "etcd 0.4", "fleet.service": "fleet", "fleet.socket": "fleet"}
RENAMED: Final = {"ca_file": "trusted_ca_file", "peer_ca_file": "peer_trusted_ca_file"}
"""Options of etcd2 that etcd 3 has under another name."""
_REMOVED = {
    **dict.fromkeys(
        ("proxy", "proxy_dial_timeout", "proxy_failure_wait", "proxy_read_timeout", "proxy_refresh_interval"),
        "etcd 3 on Flatcar is no proxy: give clients the members' addresses",
    ),
    "proxy_write_timeout": "etcd 3 on Flatcar is no proxy: give clients the members' addresses",
    "debug": "etcd 3.5 removed it; etcd_member.log_level is there",
    "log_package_levels": "etcd 3.5 removed it; etcd_member.log_level is there",
}
_DATA = "/var/lib/etcd"
_CERTIFICATES = "/etc/ssl/certs"
_SHARED = ("/run/", "/usr/share/ca-certificates/")


def renamed(units: Iterable[Unit], losses: list[Loss]) -> tuple[Unit, ...]:
    """The units without those of services that Flatcar has not; etcd2's are etcd-member's."""
    found = list(units)
    names = {unit.name for unit in found}
    kept = []
    for unit in found:
        key = f"coreos.units[{unit.name}]"
        if unit.content is None and unit.name in _ENDED and not unit.mask:
            losses.append(Loss(key, f"Flatcar has no {_ENDED[unit.name]}"))
        elif unit.content is None and unit.name == _OLD and not unit.mask:
            why = "Flatcar has no etcd 2"
            if UNIT in names:
                losses.append(Loss(key, f"{why}, and {UNIT} is there too"))
            else:
                losses.append(Loss(key, why, UNIT))
                kept.append(unit.model_copy(update={"name": UNIT}))
        else:
            kept.append(unit)
    return tuple(kept)


def variables(coreos: CoreOS, units: Iterable[Unit], losses: list[Loss]) -> dict[str, str]:
    """The variables of etcd 3, from the newest section there is; {} when there is none."""
    section, part = ("etcd_member", coreos.etcd_member) if coreos.etcd_member else ("etcd2", coreos.etcd2)
    if coreos.etcd_member and coreos.etcd2:
        why = "coreos.etcd_member is there too, and a node runs one etcd"
        losses += [Loss(f"coreos.etcd2.{key}", why) for key in parts.given(coreos.etcd2)]
    if part is None:
        return {}
    if section == "etcd2":
        losses.append(Loss("coreos.etcd2", "Flatcar runs etcd 3, whose API is v3", f"options of {UNIT}"))
    given = environment.texts(part)
    for key in [key for key in given if key in _REMOVED or (key, given[key]) == ("discovery_fallback", "proxy")]:
        losses.append(Loss(f"coreos.{section}.{key}", _REMOVED.get(key, _REMOVED["proxy"])))
        del given[key]
    if given.get("enable_v2") == "true":
        why = "images with etcd 3.6 have no v2 API"
        losses.append(Loss(f"coreos.{section}.enable_v2", why, "ETCD_ENABLE_V2, which older images obey"))
    for old, new in RENAMED.items():
        if old in given:
            why = "etcd 3 has no such option"
            losses.append(Loss(f"coreos.{section}.{old}", why, f"{new}, which trusts the same CA"))
            given.setdefault(new, given.pop(old))
    return inside(given, section, units, losses)


def _replaced(units: Iterable[Unit]) -> bool:
    """Does the node say itself how etcd is run?"""
    texts = [
        text for unit in units if unit.name == UNIT for text in (unit.content, *(d.content for d in unit.drop_ins))
    ]
    return any(text and ("ExecStart=" in text or "ETCD_SSL_DIR" in text) for text in texts)


def inside(given: dict[str, str], section: str, units: Iterable[Unit], losses: list[Loss]) -> dict[str, str]:
    """The variables of options, with paths as the container sees them, if no unit says itself how etcd is run."""
    seen = given if _replaced(units) else _seen(given, section, losses)
    return {f"ETCD_{key.upper()}": value for key, value in seen.items()}


def _seen(given: dict[str, str], section: str, losses: list[Loss]) -> dict[str, str]:
    data = given.get("data_dir", _DATA).rstrip("/")
    found = dict(given)
    if "wal_dir" in given:
        below = _below(given["wal_dir"], data)
        if below is None:
            why = f"the container keeps only data_dir, {data}: a log outside it would be lost with the container"
            losses.append(Loss(f"coreos.{section}.wal_dir", why, f"{data}/member/wal, where it is by default"))
            del found["wal_dir"]
        else:
            found["wal_dir"] = f"{_DATA}/{below}"
    files = {key: path for key, path in given.items() if key.endswith("_file") and path.startswith("/")}
    for key, path in list(files.items()):
        if (below := _below(path, data)) is not None:
            found[key] = f"{_DATA}/{below}"
        if below is not None or path.startswith(_SHARED):
            del files[key]
    if files and any(_below(path, _CERTIFICATES) is None for path in files.values()):
        folder = posixpath.commonpath([posixpath.dirname(path) for path in files.values()])
        found |= {key: f"{_CERTIFICATES}/{posixpath.relpath(path, folder)}" for key, path in files.items()}
        found["ssl_dir"] = folder
    return found


def _below(path: str, folder: str) -> str | None:
    return path[len(folder) + 1 :] if path.startswith(f"{folder}/") else None
