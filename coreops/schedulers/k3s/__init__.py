"""k3s: Kubernetes in one binary. ``settings`` reads what the inventory wants, ``rendering`` makes configurations and
units of it, ``looking``, ``refusals`` and ``joining`` bring the nodes together one after the other, ``living`` cordons,
drains and removes them by Kubernetes' own API (``kubectl``, ``kube``, ``marks``). Pure.
"""

from __future__ import annotations

from coreops.schedulers.k3s.adapter import K3s
from coreops.schedulers.k3s.settings import VARIABLES, plan
from coreops.schedulers.protocol import Cluster, Scheduler

__all__ = ["VARIABLES", "make"]


def make(cluster: Cluster) -> Scheduler:
    """Raises InputError for what cannot be a cluster."""
    return K3s(cluster, plan(cluster))
