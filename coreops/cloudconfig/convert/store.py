"""The options of etcd 0.4 and etcd2 as options of etcd 3. Knows these sections only."""

from __future__ import annotations

from dataclasses import replace

from coreops.cloudconfig.convert.note import Note
from coreops.cloudconfig.convert.parts import below, text
from coreops.cloudconfig.loss import Loss
from coreops.cloudconfig.marked import Marked

_DATA = "no image has it any more; the data of the old store is not carried over"
_RENAMED = {"ca_file": "trusted_ca_file", "peer_ca_file": "peer_trusted_ca_file"}
_PROXY = ("proxy_dial_timeout", "proxy_failure_wait", "proxy_read_timeout", "proxy_refresh_interval")
_GONE = {
    "log_package_levels": "etcd 3.5 has one log level for all packages",
    "debug": "etcd 3.5 has no such option",
    **dict.fromkeys((*_PROXY, "proxy_write_timeout"), "a member is no proxy, and etcd 3.6 has none"),
}
_WRITTEN = {"debug": ("log_level", "debug")}
# etcd 0.4 -> etcd 3: the options that mean the same.
_SAME_AS_0_4 = {
    "name": "name",
    "discovery": "discovery",
    "cors": "cors",
    "ca_file": "trusted_ca_file",
    "cert_file": "cert_file",
    "key_file": "key_file",
    "peer_ca_file": "peer_trusted_ca_file",
    "peer_cert_file": "peer_cert_file",
    "peer_key_file": "peer_key_file",
    "peer_election_timeout": "election_timeout",
    "peer_heartbeat_interval": "heartbeat_interval",
    "snapshot_count": "snapshot_count",
}
# etcd 0.4's address -> what is advertised, what is listened on, and whose certificate makes it https.
_ADDRESSES = {
    "addr": ("advertise_client_urls", "listen_client_urls", "bind_addr", "cert_file"),
    "peer_addr": ("initial_advertise_peer_urls", "listen_peer_urls", "peer_bind_addr", "peer_cert_file"),
}


def keys(tree: Marked, section: str) -> list[str]:
    """The keys of a section of ``coreos``."""
    found = below(tree, "coreos", section)
    return list(found.value) if found is not None else []


def options_of(tree: Marked, losses: list[Loss], notes: list[Note]) -> dict[str, Marked]:
    """The options of etcd 3, from the newest section there is; what it has not is lost."""
    if not keys(tree, "etcd2"):
        return _from_0_4(tree, losses, notes)
    losses += [
        Loss(f"coreos.etcd.{key}", "coreos.etcd2 is there too, and a node runs one etcd") for key in keys(tree, "etcd")
    ]
    found = below(tree, "coreos", "etcd2")
    assert found is not None
    losses.append(Loss("coreos.etcd2", _DATA, "the same options of etcd-member (etcd 3)"))
    options: dict[str, Marked] = {}
    for key, each in found.value.items():
        if key == "proxy":
            notes.append(Note("changed", "coreos.etcd2.proxy", "off is what etcd 3 does anyway", each.place))
        elif key in _RENAMED:
            options.setdefault(_RENAMED[key], each)
            why = f"written as {_RENAMED[key]}, which trusts the same authority"
            notes.append(Note("changed", f"coreos.etcd2.{key}", why, each.place))
        elif key in _GONE:
            new = _WRITTEN.get(key)
            losses.append(Loss(f"coreos.etcd2.{key}", _GONE[key], f"{new[0]}: {new[1]}" if new else None))
            if new:
                options[new[0]] = replace(each, value=new[1])
        else:
            options[key] = each
    _discovery(found, "etcd2", notes)
    return options


def _discovery(section: Marked, name: str, notes: list[Note]) -> None:
    if (url := below(section, "discovery")) is not None:
        why = (
            "a token serves one cluster, once: give the new cluster a token of its own, or initial_cluster; "
            "etcd 3.7 has no discovery by URL"
        )
        notes.append(Note("note", f"coreos.{name}.discovery", why, url.place))


def _from_0_4(tree: Marked, losses: list[Loss], notes: list[Note]) -> dict[str, Marked]:
    old = below(tree, "coreos", "etcd")
    if old is None or not old.value:
        return {}
    losses.append(Loss("coreos.etcd", _DATA, "options of etcd-member (etcd 3)"))
    options: dict[str, Marked] = {}
    for name, (advertise, listen, bind, cert) in _ADDRESSES.items():
        if (address := below(old, name)) is None:
            continue
        scheme = "https" if text(old, cert) else "http"
        options[advertise] = replace(address, value=f"{scheme}://{address.value}")
        port = str(address.value).rpartition(":")[2]
        at = text(old, bind) or f"0.0.0.0:{port}"
        options[listen] = replace(address, value=f"{scheme}://{at if ':' in at else f'{at}:{port}'}")
        notes.append(Note("changed", f"coreos.etcd.{name}", f"written as {advertise} and {listen}", address.place))
    for key, each in old.value.items():
        if key in _SAME_AS_0_4:
            options.setdefault(_SAME_AS_0_4[key], each)
        elif key not in _ADDRESSES and not _is_bind(key, old):
            losses.append(Loss(f"coreos.etcd.{key}", "etcd 3 has no such option"))
    _discovery(old, "etcd", notes)
    return options


def _is_bind(key: str, old: Marked) -> bool:
    return any(key == bind and name in old.value for name, (_, _, bind, _) in _ADDRESSES.items())
