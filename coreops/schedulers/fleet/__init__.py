"""fleet, CoreOS's own scheduler of systemd units (given up by its makers in 2018), for Container Linux nodes.

``adapter`` is the scheduler. ``api`` speaks fleet's HTTP API over its socket, ``wire`` is its JSON, ``rules`` are its
rules of scheduling, ``view`` is the cluster at one moment. fleet knows no cordon and no drain: ``record`` is the unit
that stands in for one, and ``talks`` use it. ``config`` writes fleet.conf, ``look`` sees a node.
"""

from coreops.schedulers.fleet.adapter import make
from coreops.schedulers.fleet.config import VARIABLES

__all__ = ["VARIABLES", "make"]
