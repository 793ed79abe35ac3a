"""From an inventory to the hosts that ``coreops render`` reads: their roles, variables and the cluster's addresses.

The bridge between packages that must not know each other: the inventory and the node model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreops.cloudconfig.read import STORE, Host, Variable
from coreops.errors import InputError
from coreops.identity.identity import hello
from coreops.playbook.rendering import host_renderer

if TYPE_CHECKING:
    from coreops.inventory import Inventory
    from coreops.model import Position


def hosts(inventory: Inventory, names: tuple[str, ...]) -> list[Host]:
    """Return the named hosts, ready to be read. Raises InputError."""
    from coreops.playbook.pending import OMIT

    members = inventory.members(STORE) if STORE in inventory.groups else ()
    addresses = {name: _address(inventory, name) for name in members}
    shared = _cluster(addresses) | {"cluster_hosts": _cluster_hosts(inventory, addresses), "hello_script": hello()}
    found = []
    for name in names:
        own = shared | ({"cluster_address": _bracketed(addresses[name])} if name in addresses else {})
        render = host_renderer(inventory, name, own)
        settings = inventory.settings(name)
        variables = {key: Variable(each.value, each.position) for key, each in settings.items()}
        role = ("single" if len(members) == 1 else "member") if name in addresses else "worker"
        if wanted := variables.get("node_role"):
            role = str(render(wanted.value, wanted.position))
        if name in addresses:
            _check_etcd(name, addresses[name], variables, render)
        found.append(Host(name, role, variables, render, OMIT, _secrets(variables, render)))
    return found


def _check_etcd(
    name: str, address: str, variables: Mapping[str, Variable], render: Callable[[Any, Position], Any]
) -> None:
    """etcd that starts at birth has to know its address: it listens on none that it would have to look up."""
    wanted = variables.get("node_etcd")
    # What is written as an address and is none, the reader tells with its place.
    if wanted and "private_ipv4" not in variables and not _is_ip(address) and render(wanted.value, wanted.position):
        raise InputError(
            f"host {name} has no address for its etcd",
            where=wanted.position,
            why=f"etcd listens on addresses, and {address!r} is a name",
            next="give the host private_ipv4 in the inventory, or leave etcd to coreops bootstrap",
        )


def _secrets(variables: Mapping[str, Variable], render: Callable[[Any, Position], Any]) -> dict[str, str]:
    """What the inventory holds to get into the host: it must not be told to the host itself."""
    from coreops.inventory import SECRETS

    held = {name: variables[name] for name in sorted(SECRETS & variables.keys())}
    values = {name: str(render(each.value, each.position) or "") for name, each in held.items()}
    return {name: value for name, value in values.items() if value}


def _cluster(addresses: Mapping[str, str]) -> dict[str, Any]:
    """What every template may ask about the store."""
    urls = {name: f"http://{_bracketed(address)}" for name, address in addresses.items()}
    return {
        "cluster_initial": ",".join(f"{name}={url}:2380" for name, url in urls.items()),
        "cluster_endpoints": ",".join(f"{url}:2379" for url in urls.values()),
    }


def _cluster_hosts(inventory: Inventory, addresses: Mapping[str, str]) -> dict[str, list[str]]:
    """The names of the store's members by address: what a host calls itself, and the inventory's where it differs."""
    found: dict[str, list[str]] = {}
    for name, address in addresses.items():
        own = inventory.settings(name).get("node_hostname")
        called = str(host_renderer(inventory, name)(own.value, own.position)) if own else name
        # A name with _ is none of a host; where it is the only one, that is told as a mistake.
        names = [called, *([name] if name != called and "_" not in name else [])]
        if _is_ip(address):
            found.setdefault(address, []).extend(each for each in names if each != address)
    return {address: names for address, names in found.items() if names}


def _address(inventory: Inventory, name: str) -> str:
    """``private_ipv4`` where it is written, else how SSH reaches the host."""
    settings = inventory.settings(name)
    render = host_renderer(inventory, name)
    for key in ("private_ipv4", "ansible_host"):
        if key in settings and (value := render(settings[key].value, settings[key].position)):
            return str(value)
    return name


def store_addresses(inventory: Inventory) -> dict[str, frozenset[str]]:
    """The addresses that the inventory gives the members of the store. Raises InputError where there is no store."""
    from coreops.identity.written import claims

    return {
        name: claims(inventory, name) | ({address} if _is_ip(address := _address(inventory, name)) else frozenset())
        for name in inventory.members(STORE)
    }


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def templates(inventory: Inventory, given: Path | None) -> Path:
    """The folder of templates: the one given, else the inventory's own, else those that coreops brings."""
    if given is not None:
        if not given.is_dir():
            raise InputError("there is no such folder of templates", where=given, next="coreops render --init DIR")
        return given
    for base in (inventory.base, Path()):
        if (own := base / "templates" / "cloud-config").is_dir():
            return own
    return shipped()


def shipped() -> Path:
    """The packaged templates, or the checkout's."""
    package = Path(__file__).parents[1]
    packaged = package / "data" / "templates" / "cloud-config"
    return packaged if packaged.exists() else package.parent / "templates" / "cloud-config"
