"""Which Docker engines may be in one swarm, and which of them knows what. Pure.

Docker wants managers upgraded first, one at a time, and the workers soon after; it names no distance that is too far,
and a swarm in the middle of an upgrade is mixed. So a difference is told and not refused. Refused is what would go
wrong in silence: an engine leaves out of a request whatever it does not know (Docker's "Engine API version history").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from coreops.errors import RefusedError
from coreops.schedulers.protocol import Cluster
from coreops.schedulers.swarm.state import Sight

Version = tuple[int, int]
OLDEST: Version = (1, 12)
_SETTINGS: Mapping[str, tuple[Version, bool]] = {
    "swarm_default_addr_pool": ((18, 9), False),
    "swarm_default_addr_pool_mask": ((18, 9), False),
    "swarm_data_path_port": ((19, 3), True),
}
"""Since when an engine knows what a swarm is made with, and whether workers have to know it, too."""
_SPEC: Mapping[str, tuple[Version, str]] = {
    "TaskTemplate.ContainerSpec.CapabilityAdd": ((20, 10), "--cap-add"),
    "TaskTemplate.ContainerSpec.CapabilityDrop": ((20, 10), "--cap-drop"),
    "TaskTemplate.ContainerSpec.Sysctls": ((19, 3), "--sysctl"),
    "TaskTemplate.ContainerSpec.Ulimits": ((20, 10), "--ulimit"),
    "TaskTemplate.Placement.MaxReplicas": ((19, 3), "Conflicts= of its own template"),
    "TaskTemplate.Resources.Limits.Pids": ((20, 10), "--pids-limit"),
}


def parse(text: str) -> Version | None:
    """``20.10.24+dfsg1``; None for what is none."""
    found = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def release(version: Version) -> Version:
    """Since 23, the first number alone says which release it is."""
    return (version[0], 0) if version[0] >= 23 else version


def check(cluster: Cluster, seen: Mapping[str, Sight]) -> None:
    """Raises RefusedError, for a host or a setting."""
    for host in cluster.hosts:
        version = parse(seen[host.name].version) if host.name in seen else None
        if version is None:
            continue
        if version < OLDEST:
            raise RefusedError(
                f"Docker {seen[host.name].version} has no swarm",
                where=host.name,
                why=f"it came with {_words(OLDEST)}",
                next="use an image with a newer Docker, or leave this host out of the scheduler",
            )
        for variable, (since, workers) in _SETTINGS.items():
            if variable in host.settings and version < since and (workers or host.role == "manager"):
                raise RefusedError(
                    f"Docker {seen[host.name].version} does not know {variable}",
                    where=host.name,
                    why=f"{_words(since)} was the first that does; others go by the default, and say nothing",
                    next=f"upgrade it first, or take {variable} out of the inventory",
                )


def told(cluster: Cluster, seen: Mapping[str, Sight]) -> Iterator[str]:
    """What an operator should know of engines that differ."""
    releases: dict[Version, list[str]] = {}
    for host in cluster.hosts:
        if host.name in seen and (version := parse(seen[host.name].version)):
            releases.setdefault(release(version), []).append(host.name)
    if len(releases) < 2:
        return
    known = {name: each for each, names in releases.items() for name in names}
    newest = max((known[host.name] for host in cluster.managers if host.name in known), default=None)
    ahead = [name for name, each in known.items() if newest is not None and each > newest]
    said = "; ".join(f"{seen[names[0]].version} on {', '.join(names)}" for _, names in sorted(releases.items()))
    first = f"; {', '.join(ahead)}: newer than all managers, which Docker wants upgraded first" if ahead else ""
    yield f"the Docker engines are of different releases, which is meant for the time of an upgrade: {said}{first}"


def unknown(body: Mapping[str, Any], engines: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, str, str]]:
    """What of a service engines would leave out in silence: the unit's word for it, since when it is known, and the
    first node that does not, with its version. engines: of all nodes.
    """
    known = [(name, text, version) for name, text in engines if (version := parse(text))]
    for path, (since, word) in _SPEC.items():
        value: Any = body
        for key in path.split("."):
            value = (value or {}).get(key)
        old = next(((name, text) for name, text, version in known if version < since), None) if value else None
        if old:
            yield (word, _words(since), *old)


def _words(version: Version) -> str:
    return f"{version[0]}.{version[1]:02}" if version[0] in (17, 18, 19) else f"{version[0]}.{version[1]}"
