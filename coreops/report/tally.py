"""What has happened so far, folded from events: the state of every host, errors and diffs grouped over hosts.

Pure: no clock (the caller says what time it is), no output. The live table and the summary show it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from coreops import events as ev
from coreops.model import TaskResult

COUNTS = ("ok", "changed", "failed", "skipped")
ENDED = {"done", "failed", "unreachable", "interrupted"}
# As in Ansible, what changed, or failed without harm, is ok too.
_COUNTED = {
    "ok": ("ok",),
    "changed": ("ok", "changed"),
    "ignored": ("ok",),
    "failed": ("failed",),
    "skipped": ("skipped",),
}
# Of two plays' outcomes on one host the worse one counts.
_WORSE = ("waiting", "connecting", "running", "done", "interrupted", "failed", "unreachable")


@dataclass(slots=True)
class HostTally:
    """One host. The counts are those of finished plays plus those seen so far in the current one."""

    name: str
    state: str = "waiting"
    task: str = ""
    ok: int = 0
    changed: int = 0
    failed: int = 0
    skipped: int = 0
    exchanges: int = 0
    started: float | None = None
    ended: float | None = None
    explained: bool = False
    current: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))

    def count(self, kind: str) -> int:
        """A count including the play that is under way."""
        return int(getattr(self, kind)) + self.current[kind]


@dataclass(slots=True)
class Group:
    """Something that is the same on several hosts."""

    text: str
    name: str = ""
    why: str = ""
    next: str = ""
    hosts: list[str] = field(default_factory=list)


def public(result: TaskResult) -> TaskResult:
    """The part of a result that may be shown: of a secret one, only how it ended."""
    return replace(result, message="", data={}, diff="") if result.secret else result


def outcome(event: ev.TaskFinished) -> str:
    """ok, changed, failed, skipped or ignored."""
    result = event.result
    if result.failed:
        return "ignored" if event.ignored else "failed"
    return "skipped" if result.skipped else "changed" if result.changed else "ok"


def _worse(*states: str) -> str:
    return max(states, key=lambda state: _WORSE.index(state) if state in _WORSE else 0)


class Tally:
    """Folds events. Not thread-safe: the caller serialises."""

    def __init__(self) -> None:
        self.hosts: dict[str, HostTally] = {}
        self.errors: dict[tuple[str, str], Group] = {}
        self.diffs: dict[tuple[str, str], Group] = {}
        self.unknown: dict[tuple[str, str], Group] = {}
        self.check = False
        self.finished: ev.RunFinished | None = None

    def apply(self, event: ev.Event, now: float) -> None:
        """Take one event into account."""
        match event:
            case ev.RunStarted(hosts=hosts, check=check):
                self.check = check
                self._add(hosts)
            case ev.PlayStarted(hosts=hosts):
                self._add(hosts)
            case ev.HostConnected(host=host, seconds=seconds):
                row = self._running(host, now)
                row.started = min(now - seconds, row.started or now)
            case ev.SegmentSent(host=host):
                self._running(host, now)
            case ev.StepStarted(host=host, title=title):
                self._running(host, now).task = title
            case ev.Progress(host=host, title=title, done=done, total=total):
                self._running(host, now).task = f"{title} {100 * done // max(total, 1)} %"
            case ev.TaskFinished():
                self._task(event, now)
            case ev.HostUnreachable(host=host, message=message, why=why, next=hint):
                self._end(self._row(host), "unreachable", now)
                self._group(self.errors, ("", message), host, Group(message, "", why, hint))
            case ev.HostFinished():
                self._host_finished(event, now)
            case ev.RunFinished():
                self.finished = event
                for host, state in event.states.items():
                    row = self._row(host)
                    row.state = state if state == "done" else _worse(row.state, state)

    def in_state(self, *states: str) -> list[HostTally]:
        """The hosts in any of the states, in order of the run."""
        return [row for row in self.hosts.values() if row.state in states]

    def in_order(self, groups: dict[tuple[str, str], Group]) -> list[Group]:
        """Groups by the order of their tasks, then of their first hosts; their hosts in the order of the run."""
        hosts = {name: index for index, name in enumerate(self.hosts)}
        tasks: dict[str, int] = {}
        for name, _ in groups:
            tasks.setdefault(name, len(tasks))
        for group in groups.values():
            group.hosts.sort(key=hosts.__getitem__)
        pairs = sorted(groups.items(), key=lambda pair: (tasks[pair[0][0]], hosts[pair[1].hosts[0]]))
        return [group for _, group in pairs]

    def _add(self, hosts: Iterable[str]) -> None:
        for host in hosts:
            self.hosts.setdefault(host, HostTally(host))

    def _row(self, host: str) -> HostTally:
        return self.hosts.get(host) or self.hosts.setdefault(host, HostTally(host))

    def _running(self, host: str, now: float) -> HostTally:
        row = self._row(host)
        if row.state in ("waiting", "connecting", "done"):
            row.state = "running"
        row.ended = None
        row.started = now if row.started is None else row.started
        return row

    def _end(self, row: HostTally, state: str, now: float) -> None:
        row.state = _worse(row.state, state)
        row.ended, row.task = now, ""

    def _task(self, event: ev.TaskFinished, now: float) -> None:
        result, kind = public(event.result), outcome(event)
        row = self._running(event.host, now)
        for counted in _COUNTED[kind]:
            row.current[counted] += 1
        if kind == "failed":
            text = f"{event.name}: {result.message}" if result.message else event.name
            self._group(self.errors, (event.name, result.message), event.host, Group(text))
            row.explained = True
        if kind == "skipped" and self.check and result.message and not result.message.startswith("when: "):
            text = f"{event.name}: {result.message}"
            self._group(self.unknown, (event.name, result.message), event.host, Group(text, event.name))
        if result.diff:
            self._group(self.diffs, (event.name, result.diff), event.host, Group(result.diff, event.name))

    def _host_finished(self, event: ev.HostFinished, now: float) -> None:
        row = self._row(event.host)
        told = {kind: getattr(event, kind) for kind in COUNTS}
        for kind, number in (told if any(told.values()) else row.current).items():
            setattr(row, kind, getattr(row, kind) + number)
        row.current = dict.fromkeys(COUNTS, 0)
        row.exchanges += event.exchanges
        if event.error and event.state == "failed" and not row.explained:
            self._group(self.errors, ("", event.error), event.host, Group(event.error))
        self._end(row, event.state, now)

    @staticmethod
    def _group(groups: dict[tuple[str, str], Group], key: tuple[str, str], host: str, new: Group) -> None:
        group = groups.setdefault(key, new)
        if group.why != new.why:
            group.why = ""
        if host not in group.hosts[-1:]:
            group.hosts.append(host)
