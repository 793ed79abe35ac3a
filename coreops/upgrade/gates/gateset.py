"""All gates of all nodes: a node's steps for one moment, and one Health out of their records.

What always counts, gates or not: the node has finished starting; before, that no workload says "not now"; after, that
no unit failed that had not before, and that the node's member of etcd serves and has caught up.

The operator's gates are for before the drain and for after the reboot. On a node that is drained already, "before" asks
none of them: its workload, and what the hooks took out of a load balancer, is down on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from coreops.model import Record, ShellStep
from coreops.store.cluster import Member
from coreops.upgrade.gates import controller, etcd, probes
from coreops.upgrade.gates.spec import Gate, Moment, Sample, Verdict
from coreops.upgrade.guard import FOLDER
from coreops.upgrade.observation import Health, StoreView

VETOES = "/run/coreops/veto.d"
HEALTH = "health"

_SCRIPT = Path(__file__).with_name("health.sh")
_WORST: tuple[Verdict, ...] = ("ok", "wait", "bad")
_STATES: Mapping[str, Sample] = {
    "running": Sample(),
    "degraded": Sample(),
    "initializing": Sample("wait", "the node is still starting"),
    "starting": Sample("wait", "the node is still starting"),
    "stopping": Sample("wait", "the node is shutting down"),
}


class GateSet:
    """gates: what each node's own gates are. members: of the store; a node that is none is not asked about etcd.

    ask: how the controller samples its own gates; tests put another one in. answer: seconds that a member may take.
    """

    def __init__(
        self,
        gates: Mapping[str, Sequence[Gate]],
        members: Sequence[Member] = (),
        *,
        ask: Callable[[Gate], Sample] = controller.ask,
        answer: float = etcd.ANSWER,
        vetoes: str = VETOES,
        folder: str = FOLDER,
    ) -> None:
        self._gates = gates
        self._members = members
        self._names = frozenset(member.name for member in members)
        self._ask = ask
        self._answer = answer
        self._env = {"VETOES": vetoes, "DRAINED": f"{folder}/drained"}

    def steps(self, node: str, moment: Moment) -> list[ShellStep]:
        """What to ask the node, all in one segment. Asking changes nothing."""
        script = _SCRIPT.read_text(encoding="utf-8")
        if node in self._names:
            script = etcd.script(node, self._members, beside=script, answer=self._answer)
        health = ShellStep(
            id=HEALTH,
            title="look at the node's health",
            probe=script,
            env=self._env,
            timeout=60.0 + len(self._members) * self._answer,
            ignore_errors=True,
        )
        gates = enumerate(self._of(node, moment), 1)
        return [health, *(probes.step(gate, f"gate{n}") for n, gate in gates if probes.on_node(gate))]

    def judge(self, node: str, moment: Moment, records: Mapping[str, Record], baseline: Collection[str] = ()) -> Health:
        """The verdict, with every reason. Samples the controller's gates. baseline: units that had failed before."""
        lines = _lines(records.get(HEALTH))
        samples, store = self._health(node, moment, records.get(HEALTH), lines, baseline)
        gates = () if moment == "before" and "drained" in lines else self._of(node, moment)
        for number, gate in enumerate(gates, 1):
            answer = records.get(f"gate{number}")
            sample = probes.judge(gate, answer) if probes.on_node(gate) else self._ask(gate)
            samples.append(Sample(sample.verdict, f"gate {gate.name}: {sample.reason}"))
        verdict = _WORST[max((_WORST.index(sample.verdict) for sample in samples), default=0)]
        reasons = [sample.reason for sample in samples if sample.verdict != "ok"]
        return Health(verdict=verdict, reasons=tuple(reasons), store=store)

    def _of(self, node: str, moment: Moment) -> list[Gate]:
        return [gate for gate in self._gates.get(node, ()) if moment in gate.moments]

    def _health(
        self,
        node: str,
        moment: Moment,
        record: Record | None,
        lines: Mapping[str, Sequence[str]],
        baseline: Collection[str],
    ) -> tuple[list[Sample], StoreView | None]:
        store = None
        samples: list[Sample] = []
        if node in self._names:
            found = etcd.read(node, self._members, {key: values[-1] for key, values in lines.items()})
            store = found.view
            if found.wrong and (moment == "after" or not found.view.healthy):
                samples.append(Sample("bad", found.wrong))
        if record is None or record.state != "ok":
            why = probes.last_line(record.stderr) if record else ""
            return [Sample("bad", f"the node could not be asked for its health{': ' + why if why else ''}")], store
        state = (lines.get("state") or [""])[-1]
        samples.append(_STATES.get(state) or Sample("bad", f"systemd says {state or 'nothing'}"))
        if moment == "before":
            for veto in lines.get("veto", ()):
                name, _, why = veto.partition("\t")
                samples.append(
                    Sample("wait", f"vetoed by {_printable(name)}" + (f": {_printable(why)}" if why else ""))
                )
        else:
            new = sorted(set(lines.get("failed", ())) - set(baseline))
            samples += [Sample("bad", f"{unit} has failed") for unit in new]
        return samples, store


def _lines(record: Record | None) -> dict[str, list[str]]:
    """What the health step printed: every value of every key."""
    lines: dict[str, list[str]] = {}
    for text in (record.stdout if record else b"").decode("utf-8", errors="replace").splitlines():
        key, _, value = text.partition(" ")
        lines.setdefault(key, []).append(value.strip())
    return lines


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text).strip()
