"""A lab as a whole: up, status, down. Every step looks before it acts: ``up`` repairs, and ``down`` always ends clean.

lab = Lab.up("lab", nodes=3, zones=3)
lab.chaos("n1", "kill")
lab.down()
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import NamedTuple

from coreops.errors import InputError, InterruptedRun, did_you_mean
from coreops.events import Emit, Event, Notice
from coreops.providers.namespace import (
    cgroup,
    chaos,
    cloud_init,
    inventory,
    keys,
    limits,
    network,
    ssh,
)
from coreops.providers.namespace import (
    driver as drivers,
)
from coreops.providers.namespace import (
    user_data as userdata,
)
from coreops.providers.namespace.driver import Driver, Image
from coreops.providers.namespace.flavour import CLOUD_INIT
from coreops.providers.namespace.flavour import of as flavour_of
from coreops.providers.namespace.host import (
    locked_folder,
    remove_empty,
    require_linux_root,
    write_atomically,
)
from coreops.providers.namespace.names import LabNames, NodeNames, state_root
from coreops.providers.namespace.node import NodeStatus
from coreops.providers.namespace.plan import LabPlan, NodePlan, free_subnet

DEFAULT_NODES = 3
DEFAULT_ZONES = 3
DEFAULT_DRIVER = "namespace"


def silent(event: Event) -> None:
    """An Emit for callers who want no progress."""


def names_of_labs() -> list[str]:
    """The labs of this machine."""
    return sorted(file.parent.name for file in state_root().glob("*/lab.json"))


class _Kind(NamedTuple):
    driver: str
    firmware: str


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab that exists. Its plan is what was asked for; ``status`` reads how it is."""

    names: LabNames
    plan: LabPlan

    @property
    def nodes(self) -> tuple[NodePlan, ...]:
        return self.plan.nodes

    @property
    def inventory(self) -> Path:
        """The inventory folder that was written last."""
        return Path(self.plan.inventories[-1])

    @property
    def driver(self) -> Driver:
        """What its nodes are."""
        return drivers.of(self.plan.driver)

    @property
    def image(self) -> Image:
        """The image in the cache: ``image.usr("1.1.0")`` is what goes into a USR slot."""
        return self.driver.cached(self.plan.image)

    @classmethod
    def open(cls, name: str) -> Lab:
        """Return a lab of this machine. Raises InputError."""
        names = LabNames.of(name)
        try:
            return cls(names, LabPlan.from_json(names.plan_file.read_text()))
        except FileNotFoundError:
            known = names_of_labs()
            raise InputError(
                f"there is no lab {name!r} on this machine",
                why=did_you_mean(name, known) or (f"there is {', '.join(known)}" if known else None),
                next=f"coreops lab up --name {name}",
            ) from None

    @classmethod
    def up(
        cls,
        name: str = "lab",
        nodes: int | None = None,
        zones: int | None = None,
        *,
        inventory_folder: Path | None = None,
        user_data: Path | None = None,
        boot: bool = True,
        driver: str | None = None,
        firmware: str | None = None,
        extra: str | None = None,
        emit: Emit = silent,
    ) -> Lab:
        """Make or repair a lab, and return when every node lets people in over ssh. Raises InputError, CoreopsError.

        driver, firmware: what the nodes are; None: what they have been, or the usual. extra: what their image has
        beside (``docker``); None: what it has had.
        user_data: the folder of a render; the nodes then boot with cloud-init, and it has to be done with it without
        a complaint. boot False: only decide names and addresses, and write the inventory.
        """
        require_linux_root()
        names = LabNames.of(name)
        if user_data and not boot:
            raise InputError("--no-boot boots nothing that could take user-data", next="leave one of the two out")
        known = _known(names)
        kind = _kind(names, known, driver, firmware)
        documents = userdata.read(user_data) if user_data else {}
        extra = _extra(names, known, kind, extra, user_data)
        flavour = CLOUD_INIT if user_data or (known and known.cloud_init) else flavour_of(extra)
        machines = drivers.of(kind.driver)
        machines.require_programs(build=boot and not machines.image(flavour).disk.exists())
        if zones is not None and zones < 1:
            raise InputError(f"--zones must be at least 1, not {zones}")
        folder = (inventory_folder or Path("inventories") / name).absolute()
        inventory.check(folder)
        fresh = not names.plan_file.exists()
        if nodes is None:
            nodes = len(known.nodes) if known else userdata.count(documents) or DEFAULT_NODES
        wanted = (known or LabPlan(name, "10.77.0.0/24", 1, "")).grown(nodes)
        if not boot:
            with locked_folder(names.folder):
                lab = cls(names, _plan(names, nodes, zones, folder, kind, extra=extra))
                lab._write_inventory()
            return lab
        if flavour == CLOUD_INIT:
            _check_user_data(names, wanted, documents)
            if strangers := sorted({*documents} - {each.name for each in wanted.nodes}):
                emit(Notice(f"the lab has no node {', '.join(strangers)}; that user-data is left out"))
            mine = {each.name: documents[each.name] for each in wanted.nodes if each.name in documents}
            for text, asking in limits.foresee(mine).items() if kind.driver == DEFAULT_DRIVER else ():
                emit(Notice(f"a lab cannot do all of this user-data: {text}", host=", ".join(asking)))
        machines.require_room(names, nodes)
        try:
            built = machines.build(emit, flavour)
            with locked_folder(names.folder):
                born = flavour == CLOUD_INIT
                lab = cls(names, _plan(names, nodes, zones, folder, kind, built, cloud_init=born, extra=extra))
                lab._bring_up(built.disk, documents, emit)
        except KeyboardInterrupt:
            emit(Notice("interrupted" + ("; removing what there is of the lab" if fresh else "")))
            if fresh:
                cls.down(name)
            raise InterruptedRun(
                "lab up was interrupted", next="coreops lab up again; it goes on or starts anew"
            ) from None
        return lab

    def _keys(self) -> tuple[keys.KeyPair, dict[str, keys.KeyPair]]:
        """The lab's own key and every node's host key, made when they are missing."""
        key = keys.ensure_key(self.names.key_file, f"coreops-lab-{self.names.lab}")
        return key, {
            each.name: keys.ensure_key(self.names.node(each.name).folder / "host_key", each.name) for each in self.nodes
        }

    def _write_inventory(self) -> None:
        key, host_keys = self._keys()
        write_atomically(self.names.known_hosts_file, inventory.known_hosts(self.plan, host_keys))
        for folder in self.plan.inventories:
            inventory.write(Path(folder), self.plan, key, host_keys)

    def _bring_up(self, template: Path, documents: Mapping[str, bytes], emit: Emit) -> None:
        key, host_keys = self._keys()
        driver = self.driver
        driver.prepare(self.names, self.plan, emit)
        self._write_inventory()
        for each in self.nodes:
            names = self.names.node(each.name)
            if each.name in documents:
                userdata.offer(names, documents[each.name])
            state = driver.status(names, each).state
            if state in ("running", "frozen", "booting"):
                driver.connect(names, self.plan, each)
                continue
            if driver.was_on(names):
                emit(Notice(f"was {state}; starting it again", host=each.name))
            driver.clear(names)
            driver.create(names, self.plan, each, template, host_keys[each.name], key.public)
            driver.connect(names, self.plan, each)
            driver.launch(names)
        for each in self.nodes:
            names = self.names.node(each.name)
            if self._is_frozen(each):
                emit(Notice("is frozen and was left so", host=each.name))
                continue
            driver.wait_ready(names, each, driver.BOOT_SECONDS)
            emit(Notice(f"is up at {each.address} in {each.zone}", host=each.name))
        if self.plan.cloud_init:
            # What is frozen or cut off cannot be asked.
            cut = [each for each in self.nodes if network.is_cut(self.names.node(each.name))]
            asked = {
                self.names.node(each.name): each for each in self.nodes if not self._is_frozen(each) and each not in cut
            }
            cloud_init.wait(
                [*asked], lambda names: driver.cloud_init_report(names, asked[names]), driver.BOOT_SECONDS, emit
            )

    def _is_frozen(self, node: NodePlan) -> bool:
        return self.driver.status(self.names.node(node.name), node).state == "frozen"

    def node(self, name: str) -> NodePlan:
        """Return one node. Raises InputError."""
        for each in self.nodes:
            if each.name == name:
                return each
        known = [each.name for each in self.nodes]
        raise InputError(
            f"lab {self.names.lab!r} has no node {name!r}",
            why=did_you_mean(name, known),
            next=f"use one of {', '.join(known)}",
        )

    def names_of(self, name: str) -> NodeNames:
        return self.names.node(self.node(name).name)

    def status(self) -> list[NodeStatus]:
        """Read how every node is."""
        require_linux_root()
        driver = self.driver
        return [driver.status(self.names.node(each.name), each) for each in self.nodes]

    def chaos(self, name: str, action: str, *, wait: bool = True) -> None:
        """Do something bad (or good) to a node. wait: after reboot and poweron, until ssh answers again."""
        require_linux_root()
        each, names = self.node(name), self.names_of(name)
        if not self.plan.image:
            raise InputError("the lab is only planned yet", where=name, next=f"coreops lab up --name {self.names.lab}")
        chaos.act(self.driver.ACTIONS, names, action)
        if wait and action in chaos.BOOTS:
            self.driver.wait_ready(names, each, self.driver.BOOT_SECONDS)

    def log(self, name: str) -> Path:
        """The node's console and what its launcher decided."""
        path = self.names_of(name).log
        if not path.exists():
            raise InputError(
                "the node has never been switched on", where=name, next=f"coreops lab up --name {self.names.lab}"
            )
        return path

    def ssh_command(self, name: str, command: Sequence[str] = ()) -> list[str]:
        """Return the argv that opens a shell, or runs a command, as core on a node.

        One word is a command line for the node's shell; several are a program and its arguments, quoted on the way.
        """
        return ssh.argv(self.names, self.node(name).address, command, key=self.inventory / "id_ed25519")

    @staticmethod
    def down(name: str = "lab", *, emit: Emit = silent) -> bool:
        """Remove a lab, or what is left of one, found by scanning the host; say whether there was anything."""
        require_linux_root()
        names = LabNames.of(name)
        existed = names.folder.exists()
        with locked_folder(names.folder):
            plan = None
            with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
                plan = LabPlan.from_json(names.plan_file.read_text())
            existed = bool(cgroup.processes(names.cgroup)) or existed
            _remove_everything(names, emit)
            for folder in plan.inventories if plan else ():
                inventory.remove(Path(folder))
        remove_empty([names.root, names.root.parent] if names.root == Path("/var/lib/coreops/labs") else [])
        return existed


def _known(names: LabNames) -> LabPlan | None:
    """The lab's plan, if there is one that can be read; ``_plan`` says what is wrong with another."""
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        return LabPlan.from_json(names.plan_file.read_text())
    return None


def _kind(names: LabNames, known: LabPlan | None, driver: str | None, firmware: str | None) -> _Kind:
    """Decide what the nodes are. Raises InputError when they are something else already."""
    is_driver = driver or (known.driver if known else DEFAULT_DRIVER)
    same = known and known.driver == is_driver
    kind = _Kind(is_driver, drivers.check(is_driver, firmware or (known.firmware if known and same else None)))
    if known and (known.driver, known.firmware) != (kind.driver, kind.firmware):
        raise InputError(
            f"the nodes of lab {names.lab!r} are {known.driver} with {known.firmware}, and {kind.driver} with"
            f" {kind.firmware} was asked for",
            next=f"coreops lab down --name {names.lab}, then up again; or another --name",
        )
    return kind


def _extra(names: LabNames, known: LabPlan | None, kind: _Kind, extra: str | None, user_data: Path | None) -> str:
    """Decide what the image has beside. Raises InputError where nodes cannot have it, or are there without it."""
    wanted = extra if extra is not None else known.extra if known else ""
    flavour_of(wanted)
    if wanted and kind.driver != DEFAULT_DRIVER:
        raise InputError(f"--with {wanted} is for {DEFAULT_DRIVER} nodes, and these are {kind.driver}")
    if wanted and (user_data or (known and known.cloud_init)):
        raise InputError(
            f"--with {wanted} and --user-data do not go together",
            why="a node's image has cloud-init or Docker, not both",
            next="leave one of the two out",
        )
    if known and known.image and known.extra != wanted:
        raise InputError(
            f"lab {names.lab!r} was booted {f'with {known.extra}' if known.extra else f'without {wanted}'}",
            next=f"coreops lab down --name {names.lab}, then up again; or another --name",
        )
    return wanted


def _check_user_data(names: LabNames, wanted: LabPlan, documents: Mapping[str, bytes]) -> None:
    """Refuse user-data for a lab that cannot take it, and nodes without any. Raises InputError."""
    if wanted.image and not wanted.cloud_init:
        raise InputError(
            f"lab {names.lab!r} was booted without user-data, from an image that has no cloud-init",
            next=f"coreops lab down --name {names.lab}, then up --user-data again",
        )
    have = {each.name for each in wanted.nodes if userdata.offered(names.node(each.name))}
    userdata.require([each.name for each in wanted.nodes], have | set(documents))


def _plan(
    names: LabNames,
    nodes: int,
    zones: int | None,
    folder: Path,
    kind: _Kind,
    built: Image | None = None,
    *,
    cloud_init: bool = False,
    extra: str = "",
) -> LabPlan:
    """Read the lab's plan, or make one; write it before anything of it is made. built: None as long as none boots."""
    try:
        plan = LabPlan.from_json(names.plan_file.read_text())
    except FileNotFoundError:
        with locked_folder(names.root):
            subnet = free_subnet(network.used_networks() + _planned_networks(names))
            plan = LabPlan(
                names.lab, str(subnet), zones or DEFAULT_ZONES, "", driver=kind.driver, firmware=kind.firmware
            )
            write_atomically(names.plan_file, plan.to_json())
    if zones not in (None, plan.zones):
        raise InputError(
            f"lab {names.lab!r} has {plan.zones} zones, and {zones} were asked for",
            next=f"coreops lab down --name {names.lab}, then up again; or leave --zones out",
        )
    if built and not plan.image:
        plan = replace(plan, image=built.folder.name, cloud_init=cloud_init)
    plan = replace(plan, extra=extra)
    others = tuple(known for known in plan.inventories if known != str(folder))
    plan = replace(plan.grown(nodes), inventories=(*others, str(folder)))
    write_atomically(names.plan_file, plan.to_json())
    return plan


def _planned_networks(names: LabNames) -> list[IPv4Network]:
    """The networks of labs that may not be up (yet)."""
    found = []
    for file in names.root.glob("*/lab.json"):
        with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            found.append(IPv4Network(LabPlan.from_json(file.read_text()).subnet))
    return found


def _remove_everything(names: LabNames, emit: Emit) -> None:
    started = time.monotonic()
    # Of every kind: the state file that says which it was may be gone.
    for each in drivers.FIRMWARES:
        drivers.of(each).sweep(names)
    network.remove(names)
    cgroup.remove(names.cgroup)
    cgroup.remove_if_empty(names.cgroup.split("/")[0])
    shutil.rmtree(names.folder)
    emit(Notice(f"removed in {time.monotonic() - started:.1f} s"))
