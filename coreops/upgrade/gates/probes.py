"""A gate that the node answers: the step that asks, and what its record says. Pure."""

from __future__ import annotations

from pathlib import Path

from coreops.model import Record, ShellStep
from coreops.modules.waiting import PORT
from coreops.shell.quote import q
from coreops.upgrade.gates.spec import CommandGate, Gate, HttpGate, PrometheusGate, Sample, TcpGate, UnitGate, shown_url

_HTTP = Path(__file__).with_name("http.sh")
_MOVING = ("activating", "reloading", "refreshing")
_MARGIN = 5.0


def on_node(gate: Gate) -> bool:
    """Does the node ask, or the controller?"""
    return not (isinstance(gate, PrometheusGate) or (isinstance(gate, HttpGate) and gate.from_controller))


def step(gate: Gate, id: str) -> ShellStep:
    """The question. A gate that says no does not end the segment."""
    script, env = _script(gate)
    return ShellStep(
        id=id,
        title=f"gate {gate.name}",
        probe=script,
        env=env,
        timeout=gate.timeout + (0 if isinstance(gate, CommandGate) else _MARGIN),
        ignore_errors=True,
    )


def _script(gate: Gate) -> tuple[str, dict[str, str]]:
    match gate:
        case UnitGate():
            return f"systemctl is-active -- {q(gate.unit)} || :", {}
        case TcpGate():
            env = {"host": gate.host, "port": str(gate.port), "connect": str(max(1, int(gate.timeout)))}
            return PORT + "answers", env
        case HttpGate():
            url = gate.url.replace("\\", "\\\\").replace('"', '\\"')
            env = {"CURL": f'url = "{url}"', "LIMIT": str(max(1, int(gate.timeout))), "CONTAINS": gate.contains}
            return _HTTP.read_text(encoding="utf-8"), env
        case CommandGate():
            return gate.command, {}
    raise ValueError(f"{gate.name}: not a gate of the node")


def judge(gate: Gate, record: Record | None) -> Sample:
    """Read the answer; no answer is a bad one."""
    if record is None:
        return Sample("bad", "the node did not answer")
    said = record.stdout.decode("utf-8", errors="replace").strip()
    error = last_line(record.stderr) or last_line(record.stdout) or f"exit {record.rc}"
    match gate:
        case UnitGate():
            if said == "active":
                return Sample()
            return Sample("wait" if said in _MOVING else "bad", f"{gate.unit} is {said or error}")
        case TcpGate():
            return Sample() if record.rc == 0 else Sample("bad", f"no connection to {gate.host}:{gate.port}")
        case HttpGate():
            return _http(gate, record.rc, said, error)
    return Sample() if record.rc == 0 and record.state == "ok" else Sample("bad", error)


def _http(gate: HttpGate, rc: int, said: str, error: str) -> Sample:
    shown = shown_url(gate.url)
    if rc not in (0, 4):
        return Sample("bad", error if rc == 3 else f"{shown}: {error}")
    if said not in {str(code) for code in gate.status}:
        return Sample("bad", f"{shown} answered {said}, wanted {' or '.join(map(str, gate.status))}")
    return Sample("bad", f"{shown} answered {said} without {gate.contains!r}") if rc == 4 else Sample()


def last_line(text: bytes) -> str:
    """The last line that says something, without control characters."""
    lines = text.decode("utf-8", errors="replace").strip().splitlines()
    return "".join(each if each.isprintable() else " " for each in lines[-1])[:300].strip() if lines else ""
