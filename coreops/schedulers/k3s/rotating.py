"""A new token for the servers: one is asked to take it, as ``k3s token rotate`` does, and then all are restarted
with it, one by one. Pure.

The playbook brings the inventory's token as ``token.wanted``; ``token`` is what k3s starts with, and stays the
cluster's until the cluster has the new one: a server that reboots in between comes back. What every server says, as the
beginnings of hashes, decides, so a run that was broken off goes on.

The token of agents stays. ``k3s token rotate`` leaves it alone when it is a token of its own, and another one in its
file is not enough: a server that starts writes it into its passwd file, which is part of what servers keep where they
meet, and nothing brings it there. When it starts again, the file is newer than that, and k3s refuses to go on.

k3s's side: pkg/cli/token/token.go, pkg/server/handlers/token.go (v1.28.3 is the first with it); of agents
pkg/daemons/control/deps/deps.go (genUsers), pkg/cluster/bootstrap.go (ReconcileBootstrapData), k3s-io/k3s#8066,
rancher/rke2#5785, rancher/rke2#4034.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from coreops.errors import RefusedError
from coreops.model import ShellStep
from coreops.schedulers.k3s import rendering
from coreops.schedulers.k3s.looking import Found
from coreops.schedulers.k3s.settings import Node, Plan
from coreops.schedulers.k3s.versions import Version
from coreops.schedulers.protocol import Move, Talk, do

OLDEST = Version(1, 28, 3)
_SCRIPT = Path(__file__).with_name("rotate.sh")
_ADOPT = """\
cd "${ROOT:-}$FOLDER" && cp -p token.wanted token.new && sync token.new && mv token.new token
"""


def check(plan: Plan) -> None:
    """Raises RefusedError where the inventory's k3s cannot do it."""
    old = [(host, node.version) for host, node in plan.nodes.items() if node.server and node.version < OLDEST]
    if old:
        raise _too_old(*old[0])


def decide(
    plan: Plan,
    seen: Mapping[str, Found],
    well: Callable[[str], bool],
    start: Callable[[Node], Talk[None]],
) -> Move | None:
    """What is next on the way to the new token. None: nothing, or other things first."""
    servers = [host for host, found in seen.items() if plan.nodes[host].server and found.up and found.joined]
    wanted = {seen[host].wanted for host in servers}
    if len(wanted) != 1 or not all(well(host) for host in servers):
        return None
    (want,) = wanted
    behind = [host for host in servers if want and (seen[host].holds, seen[host].used) != (want, want)]
    if not behind or not all(seen[host].holds for host in servers):
        return None
    if not any(seen[host].holds == want for host in servers):
        host = next((each for each in servers if not seen[each].stale), "")
        running = seen[host].running if host else None
        if running is None:
            return None  # it runs with old settings, maybe an old release: that first
        if running < OLDEST:
            raise _too_old(host, running)
        talk = partial(_rotate, plan.nodes[host])
        return Move(title=f"have {host} take the servers' new token", on=(host,), talks={host: talk})
    host = behind[0]
    talk = partial(_adopt, plan.nodes[host], start)
    return Move(title=f"restart {host} with the new token", on=(host,), talks={host: talk})


def _rotate(node: Node) -> Talk[None]:
    port = node.config.get("https-listen-port", rendering.PORT)
    yield from do(
        ShellStep(
            id="k3s-rotate",
            title="have k3s take a new token",
            act=_SCRIPT.read_text(encoding="utf-8"),
            env={"PORT": str(port)},
            timeout=120.0,
        )
    )


def _adopt(node: Node, start: Callable[[Node], Talk[None]]) -> Talk[None]:
    env = {"FOLDER": rendering.FOLDER}
    title = f"give {node.name} the new token"
    yield from do(ShellStep(id="k3s-adopt", title=title, act=_ADOPT, env=env, timeout=60.0))
    yield from start(node)


def _too_old(host: str, version: Version) -> RefusedError:
    return RefusedError(
        "this k3s cannot change its token",
        where=host,
        why=f"it is {version}, and `k3s token rotate` came with {OLDEST}",
        next=f"upgrade the servers to {OLDEST} or newer first, or leave --rotate-tokens out",
    )
