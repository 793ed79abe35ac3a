"""EC2 as a provider: every call that reads or changes the cloud goes out from here.

Nothing is remembered between runs. A machine is found by its tags, and one that EC2 does not show yet by the client
token that made it. Before a machine is switched or ended its tags are read again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from coreops.errors import CoreopsError, RefusedError
from coreops.events import Emit, Notice
from coreops.providers.ec2 import machines, request
from coreops.providers.ec2.clients import Clients
from coreops.providers.ec2.failures import code, not_ours, told
from coreops.providers.ec2.groups import Groups
from coreops.providers.ec2.host_keys import host_keys
from coreops.providers.ec2.images import Images
from coreops.providers.ec2.launch import Launch
from coreops.providers.ec2.looks import Looks, every
from coreops.providers.ec2.patience import Patience
from coreops.providers.ec2.plan import plan
from coreops.providers.ec2.routes import Routes
from coreops.providers.ec2.settings import read
from coreops.providers.protocol import Change, Machine, Power, Wanted, mark

_OPERATION = {"on": "start_instances", "off": "stop_instances", "reset": "reboot_instances"}
_REGIONS_AT_ONCE = 16
_REGION = frozenset({"region"})
_FEW = 20
"""A page when it only matters whether there is any."""
_ROTATED = 60_000
"""From this length on a console may have lost its beginning: EC2 shows the last 64 KB."""


class Ec2:
    """The machines of clusters in some regions. May be used by many threads."""

    name = "ec2"

    def __init__(
        self,
        regions: Iterable[str] = (),
        *,
        clients: Clients | None = None,
        patience: Patience | None = None,
        emit: Emit = lambda event: None,
    ) -> None:
        """regions: where to look for machines; a region that one is created in is added. emit: takes notices."""
        self._regions = set(regions)
        self._clients = clients or Clients()
        self._patience = patience or Patience()
        self._images = Images(self._clients)
        self._groups = Groups(self._clients, self._patience)
        self._routes = Routes(self._clients)
        self._emit = emit
        self._ended: set[str] = set()
        self._mourned: set[str] = set()
        self._slow: set[str] = set()
        self._looks: dict[str, Looks] = {}
        self._lock = threading.Lock()

    @property
    def regions(self) -> tuple[str, ...]:
        """Where it looks."""
        with self._lock:
            return tuple(sorted(self._regions))

    def plan(self, wanted: Sequence[Wanted], found: Sequence[Machine]) -> tuple[Change, ...]:
        return plan(wanted, found)

    def create(self, wanted: Wanted) -> Machine:
        """Return the node's machine once EC2 shows it; it may be pending still. Raises CoreopsError."""
        settings = read(wanted)
        with self._lock:
            self._regions.add(settings.region)
        client = self._clients.of("ec2", settings.region)
        with told("creating it", wanted.node, settings.region):
            looks = self._look(settings.region)
            known = looks.marked(mark(wanted.cluster, wanted.node))
            found = machines.machines(known, settings.region, wanted.cluster)
            launch = Launch(client, looks, wanted, self._patience)
            if len(found) > 1:
                raise RefusedError(
                    "two machines carry the mark of this node",
                    where=wanted.node,
                    why=", ".join(machine.id for machine in found),
                    next="end all but one of them in EC2",
                )
            if found:
                instance = launch.shown(found[0].id)
            else:
                self._routes.check(wanted, settings)
                image, groups = self._images.of(settings, wanted.node), self._groups.of(wanted, settings)
                instance = launch.launched(settings, image, groups, known)
        return machines.machine(instance, settings.region)

    def _look(self, region: str) -> Looks:
        """One for all threads, so that their questions go together."""
        client = self._clients.of("ec2", region)
        with self._lock:
            return self._looks.setdefault(region, Looks(client))

    def observe(self, cluster: str) -> tuple[Machine, ...]:
        """Every region has to answer: a machine that is not seen would be made once more."""
        return self._everywhere(lambda region: self._observe(cluster, region))

    def find(self, tags: Mapping[str, str]) -> tuple[Machine, ...]:
        """Machines with these tags, whoever made them; to be looked at only. Every region has to answer."""
        return self._everywhere(lambda region: self._find(tags, region))

    def _everywhere(self, look: Callable[[str], list[Machine]]) -> tuple[Machine, ...]:
        regions = self.regions
        if not regions:
            return ()
        with ThreadPoolExecutor(min(len(regions), _REGIONS_AT_ONCE)) as pool:
            found = list(pool.map(look, regions))
        return tuple(sorted((each for part in found for each in part), key=lambda each: (each.node, each.id)))

    def _find(self, tags: Mapping[str, str], region: str) -> list[Machine]:
        with told("looking for machines", " ".join(f"{key}={value}" for key, value in tags.items()), region):
            return machines.anybodys(every(self._clients.of("ec2", region), request.tagged(tags)), region)

    def _observe(self, cluster: str, region: str) -> list[Machine]:
        client = self._clients.of("ec2", region)
        with told("looking for machines", cluster, region):
            known = list(every(client, request.of_cluster(cluster)))
        self._mourn(machines.lost(known, cluster))
        return machines.machines(known, region, cluster)

    def _mourn(self, lost: Iterable[tuple[str, str, str]]) -> None:
        """Say once what EC2 ended by itself: spot machines that were taken back, disks that could not be made."""
        with self._lock:
            new = [each for each in lost if each[1] not in self._mourned]
            self._mourned.update(machine for _, machine, _ in new)
        for node, machine, why in new:
            self._emit(Notice(f"{machine} has ended: {why}", node))

    def host_keys(self, machine: Machine) -> tuple[str, ...]:
        """What cloud-init printed. Called often while a machine boots: one request, two when EC2 holds back."""
        with told("reading its console", machine.node, machine.facts.get("region", "")):
            text = self._console(machine)
            found = host_keys(text, machine.node)
            if not found and len(text) > _ROTATED:
                client = self._client(machine, _REGION)
                found = host_keys(_console(client, machine.id, latest=False), machine.node)
        return found

    def console(self, machine: Machine) -> Iterator[bytes]:
        """What is there now, at most 64 KB; EC2 has no more."""
        with told("reading its console", machine.node, machine.facts.get("region", "")):
            text = self._console(machine)
        yield text.encode()

    def _console(self, machine: Machine) -> str:
        """As late as EC2 shows it: of some types only what it saw some minutes after the last boot or stop."""
        from botocore.exceptions import ClientError

        client, kind = self._client(machine, _REGION), machine.facts.get("type", "")
        if kind not in self._slow:
            try:
                return _console(client, machine.id, latest=True)
            except ClientError as error:
                if code(error) != "UnsupportedOperation":
                    raise
                self._slow.add(kind)
        return _console(client, machine.id, latest=False)

    def power(self, machine: Machine, power: Power) -> None:
        client = self._client(machine)
        with told(f"switching it {power}", machine.node, machine.facts["region"]):
            if self._own(client, machine) is None:
                raise CoreopsError(f"{machine.id} is gone", where=machine.node, next="coreops provision makes it anew")
            getattr(client, _OPERATION[power])(InstanceIds=[machine.id])

    def destroy(self, machine: Machine) -> None:
        """End a machine; with the last one of its cluster in a region, the security group that coreops made."""
        client, region = self._client(machine), machine.facts["region"]
        cluster = machine.facts["cluster"]
        with told("ending it", machine.node, region):
            if self._own(client, machine) is not None:
                client.terminate_instances(InstanceIds=[machine.id])
            with self._lock:
                self._ended.add(machine.id)
                ended = set(self._ended)
        with told("it has ended; removing the cluster's security group", machine.node, region):
            others = (each for each in every(client, request.alive(cluster), _FEW) if machines.is_ours(each))
            if all(each["InstanceId"] in ended for each in others):
                self._groups.remove(cluster, region)

    def _client(self, machine: Machine, needs: frozenset[str] = frozenset({"region", "cluster"})) -> Any:
        missing = needs - machine.facts.keys()
        if missing:
            raise CoreopsError(f"{machine.id} has no {min(missing)}", where=machine.node, next="observe it again")
        return self._clients.of("ec2", machine.facts["region"])

    def _own(self, client: Any, machine: Machine) -> Mapping[str, Any] | None:
        """The instance, None when it has ended. Raises RefusedError when it is not ours."""
        instance = _instance(client, machine.id)
        if instance is None or instance["State"]["Name"] not in machines.LIVE:
            return None
        tags = machines.tags_of(instance)
        said = (machine.node, machine.facts["cluster"])
        if not machines.is_ours(instance) or (tags[request.NODE], tags[request.CLUSTER]) != said:
            raise not_ours(machine.id, machine.node)
        return instance


def _instance(client: Any, machine: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        return next(every(client, {"InstanceIds": [machine]}), None)
    except ClientError as error:
        if code(error) != "InvalidInstanceID.NotFound":
            raise
        return None


def _console(client: Any, machine: str, *, latest: bool) -> str:
    return str(client.get_console_output(InstanceId=machine, Latest=latest).get("Output", ""))
