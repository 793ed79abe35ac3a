"""A few runs as lists of events, told once for all renderers."""

from __future__ import annotations

from coreops import events as ev
from coreops.model import TaskResult

HOSTILE = "\x1b[2J\x1b]0;owned\x07[bold red]\r\udcff\u202e"
DIFF = "--- /etc/motd (before)\n+++ /etc/motd (after)\n@@ -1 +1 @@\n-old\n+new\n"
SECRET = "hunter2"


def task(host: str, name: str, result: TaskResult, **more: object) -> ev.TaskFinished:
    return ev.TaskFinished(host, "p0.t0", name, result, **more)  # type: ignore[arg-type]


def small() -> list[ev.Event]:
    """Three hosts: one changes, one fails, one is not reached."""
    hosts = ("n1", "n2", "n3")
    return [
        ev.RunStarted("20260101-1", "coreops run site.yml", hosts),
        ev.PlayStarted("all of them", hosts),
        ev.HostConnected("n1", 0.1),
        ev.HostConnected("n2", 0.1),
        ev.HostUnreachable("n3", "tcp", "connection refused", "n3 (192.0.2.3) port 22", "is sshd running?"),
        ev.HostFinished("n3", "unreachable"),
        ev.SegmentSent("n1", "s1", ("p0.t0.0", "p0.t1.0")),
        ev.StepStarted("n1", "p0.t0.0", "write motd"),
        task("n1", "write motd", TaskResult(changed=True, diff=DIFF)),
        task("n1", "start etcd", TaskResult(message="already running")),
        task("n1", "skip it", TaskResult(skipped=True)),
        ev.HostFinished("n1", "done", ok=2, changed=1, skipped=1, exchanges=1),
        task("n2", "write motd", TaskResult(changed=True, diff=DIFF)),
        task("n2", "may fail", TaskResult(failed=True, message="so what"), ignored=True),
        task(
            "n2",
            "start etcd",
            TaskResult(
                failed=True,
                message="Job failed",
                data={"rc": 1, "stderr": "\n".join(f"line {i}" for i in range(30)), "stdout": HOSTILE},
            ),
            seconds=1.5,
        ),
        ev.HostFinished("n2", "failed", ok=2, changed=1, failed=1, exchanges=1),
        ev.RunFinished("20260101-1", 1, 2.5, {"n1": "done", "n2": "failed", "n3": "unreachable"}),
    ]


def secret() -> list[ev.Event]:
    """A secret result that its emitter forgot to empty."""
    result = TaskResult(failed=True, secret=True, message=SECRET, diff=SECRET, data={"stdout": SECRET})
    return [
        ev.RunStarted("r", "coreops run", ("n1",)),
        task("n1", "set password", result),
        ev.HostFinished("n1", "failed", failed=1),
        ev.RunFinished("r", 1, 1.0, {"n1": "failed"}),
    ]


def hostile() -> list[ev.Event]:
    """Everything that a node, an inventory or a playbook can name, hostile."""
    result = TaskResult(
        failed=True,
        message=HOSTILE,
        diff="+" + HOSTILE,
        data={"stdout": HOSTILE, "stderr": HOSTILE.encode("utf-8", "surrogateescape")},
    )
    return [
        ev.RunStarted("r", HOSTILE, (HOSTILE, "n2")),
        ev.PhaseStarted(HOSTILE, 1, 2),
        ev.PlayStarted(HOSTILE, (HOSTILE, "n2")),
        ev.HostConnected(HOSTILE, 0.1),
        ev.StepStarted(HOSTILE, "s", HOSTILE),
        ev.Progress(HOSTILE, HOSTILE, 1, 0),
        task(HOSTILE, HOSTILE, result, item=HOSTILE),
        ev.Notice(HOSTILE, HOSTILE),
        ev.HostFinished(HOSTILE, "failed", failed=1, error=HOSTILE),
        ev.HostUnreachable("n2", "tcp", HOSTILE, HOSTILE, HOSTILE),
        ev.HostFinished("n2", "unreachable"),
        ev.PhaseFinished(HOSTILE, HOSTILE, ok=False),
        ev.RunFinished("r", 1, 1.0, {HOSTILE: "failed", "n2": "unreachable"}),
    ]


def many(number: int = 1000) -> list[ev.Event]:
    """Hosts of a big run, half-way: 37 refuse the connection, 10 work, the rest wait; then all end."""
    hosts = tuple(f"n{i:04}" for i in range(number))
    story: list[ev.Event] = [ev.RunStarted("r", "coreops run", hosts)]
    for host in hosts[:37]:
        story += [
            ev.HostUnreachable(host, "tcp", "connection refused", f"{host}:22"),
            ev.HostFinished(host, "unreachable"),
        ]
    for host in hosts[37:47]:
        story += [ev.HostConnected(host, 0.1), ev.StepStarted(host, "s", "write motd")]
    return story
