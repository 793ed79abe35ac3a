"""Nomad as a scheduler: servers on the managers, clients on every node that takes work; TLS both ways everywhere.

``settings`` reads the variables, ``config`` says what each agent is to be, ``decide`` how a cluster comes into being
and changes; ``api`` asks an agent over curl on the node itself, ``memory`` keeps who cordoned what, ``work`` moves
work, ``remove`` forgets nodes. ``adapter`` puts them together. Pure, all of it.
"""

from coreops.schedulers.nomad.adapter import make
from coreops.schedulers.nomad.settings import VARIABLES

__all__ = ["VARIABLES", "make"]
