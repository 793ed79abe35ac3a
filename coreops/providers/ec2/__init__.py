"""Amazon EC2: machines of one inventory over several regions. Needs the extra ``coreops[ec2]``.

``settings``, ``request``, ``plan``, ``machines`` and ``host_keys`` are pure: variables in, API parameters out.
``launch``, ``groups`` and ``images`` each make the calls of one noun, ``provider`` puts them together. The promises:
what ``plan`` prints is what ``create`` sends; a call that is sent twice makes one machine; a machine whose tags are not
right is never touched; what AWS refuses is told in its own words.
"""

from __future__ import annotations

import re

from coreops.errors import InputError
from coreops.providers.ec2.provider import Ec2
from coreops.providers.ec2.settings import REGION
from coreops.providers.registry import Opening

__all__ = ["Ec2", "connect"]


def connect(opening: Opening) -> Ec2:
    """Open it for the regions of all its nodes. Calls nobody."""
    regions: set[str] = set()
    for node, settings in opening.settings.items():
        more = settings.get("ec2_regions", ())
        others = tuple(more) if isinstance(more, list | tuple) else (more,)
        # a lookup has no region of its own
        own = (settings.get("ec2_region"),) if "ec2_region" in settings or not others else ()
        for region in (*own, *others):
            if not isinstance(region, str) or not re.fullmatch(REGION, region):
                raise InputError(
                    f"{node}: {region!r} is no region of EC2" if region else f"{node} has no ec2_region",
                    where=opening.where,
                    next="set ec2_region, such as eu-west-1, for the host or its group",
                )
            regions.add(region)
    return Ec2(regions, emit=opening.emit)
