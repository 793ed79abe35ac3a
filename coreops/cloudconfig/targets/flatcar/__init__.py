"""A Node as what Ignition puts on a machine with Flatcar, as neutral data: the targets ``ignition`` and ``butane`` are
two spellings of it. Knows no text format.
"""

from coreops.cloudconfig.targets.flatcar.lower import lower
from coreops.cloudconfig.targets.flatcar.lowered import File, Lowered, sections

__all__ = ["File", "Lowered", "lower", "sections"]
