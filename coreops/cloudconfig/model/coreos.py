"""What is particular to the operating system: its services and its units."""

from __future__ import annotations

from coreops.cloudconfig.model.base import Part
from coreops.cloudconfig.model.docker import Docker
from coreops.cloudconfig.model.etcd import Etcd, Etcd2
from coreops.cloudconfig.model.etcd_member import EtcdMember
from coreops.cloudconfig.model.flannel import Flannel
from coreops.cloudconfig.model.fleet import Fleet
from coreops.cloudconfig.model.locksmith import Locksmith
from coreops.cloudconfig.model.oem import Oem
from coreops.cloudconfig.model.unit import Unit
from coreops.cloudconfig.model.update import Update


class CoreOS(Part):
    """``coreos``."""

    etcd: Etcd | None = None
    etcd2: Etcd2 | None = None
    etcd_member: EtcdMember | None = None
    fleet: Fleet | None = None
    flannel: Flannel | None = None
    locksmith: Locksmith | None = None
    update: Update | None = None
    docker: Docker | None = None
    oem: Oem | None = None
    units: tuple[Unit, ...] = ()
