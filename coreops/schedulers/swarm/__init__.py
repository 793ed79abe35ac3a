"""Docker Swarm: ``decide`` knows what to do next, ``marks`` who cordoned a node, ``settings`` reads the inventory's
variables, ``engine`` and ``talks`` ask an engine; ``swarm`` puts them together. Pure.
"""

from __future__ import annotations

from coreops.schedulers.swarm.settings import VARIABLES
from coreops.schedulers.swarm.swarm import make

__all__ = ["VARIABLES", "make"]
