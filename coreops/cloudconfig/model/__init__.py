"""The node: everything a machine is told at birth, typed, in the shape and the words of CoreOS's cloud-config.

Guarantees: a Node that exists is well formed; ``node_of`` says every mistake with its file, line and column. Knows
neither the inventory nor any target. Imports pydantic: import it late.
"""

from coreops.cloudconfig.model.node import Node
from coreops.cloudconfig.model.reading import node_of

__all__ = ["Node", "node_of"]
