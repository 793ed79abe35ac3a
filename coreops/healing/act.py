"""Does one act. What bootstrap and the scheduler have to do with it is handed in; so is the lease that keeps upgrades,
and a second heal, away meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import count

from coreops.errors import HostFailed
from coreops.healing.decide import Act, Forget, Rejoin, Remove
from coreops.model import Record, ShellStep
from coreops.shell.quote import q
from coreops.store import etcdctl

_BACK = "it serves again"


@dataclass(slots=True)
class Acts:
    """ask: runs steps on a store host that answers. rejoin, forget: what is not this package's to know."""

    ask: Callable[[Sequence[ShellStep]], Mapping[str, Record]]
    endpoints: Sequence[str]
    rejoin: Callable[[Rejoin], None]
    forget: Callable[[Forget], None]
    lease: Callable[[Sequence[str]], AbstractContextManager[object]]
    _numbers: count[int]

    @classmethod
    def of(
        cls,
        ask: Callable[[Sequence[ShellStep]], Mapping[str, Record]],
        endpoints: Sequence[str],
        rejoin: Callable[[Rejoin], None],
        forget: Callable[[Forget], None],
        lease: Callable[[Sequence[str]], AbstractContextManager[object]],
    ) -> Acts:
        return cls(ask, endpoints, rejoin, forget, lease, count(1))

    def __call__(self, act: Act) -> None:
        """Raises CoreopsError; it can be tried again then."""
        hosts = act.hosts if isinstance(act, Rejoin) else (act.name,)
        if isinstance(act, Forget) and act.host:
            hosts = (act.host,)
        with self.lease(hosts):
            match act:
                case Remove():
                    self._remove(act)
                case Rejoin():
                    self.rejoin(act)
                case Forget():
                    self.forget(act)

    def _remove(self, act: Remove) -> None:
        step = removal(act, f"heal-remove{next(self._numbers)}", self.endpoints)
        record = self.ask([step]).get(step.id)
        if record is None or record.state in ("failed", "unknown"):
            said = "" if record is None else record.stderr.decode(errors="backslashreplace").strip()
            raise HostFailed(f"could not {act}", why=said.splitlines()[-1] if said else None)


def removal(act: Remove, id: str, endpoints: Sequence[str]) -> ShellStep:
    """The step; it asks the member one last time, on the node, whether it lives."""
    step = etcdctl.member_remove(id, act.id, endpoints)
    if not act.urls:
        return step  # one that never served
    health = etcdctl.line("endpoint", "health", endpoints=act.urls, timeout=3)
    guard = f"if {health} >/dev/null 2>&1; then printf '%s\\n' {q(f'{act.name}: {_BACK}')} >&2; exit 1; fi\n"
    return replace(step, act=guard + (step.act or ""))
