"""The drain of systemd units on real nodes: stops what runs, survives a reboot, starts exactly that again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from coreops.engine.engine import Engine, HostOutcome
from coreops.engine.steps import StepsProgram
from coreops.inventory import load_inventory, target
from coreops.model import Reconnect, Record, ShellStep, Step
from coreops.upgrade.drain import survey
from coreops.upgrade.drain.units import Units
from coreops.upgrade.guard import FOLDER, Guard, failure_kind
from tests.support.shells import new_run

pytestmark = pytest.mark.lab
PATTERNS = ("app*.service",)
PATIENCE = 20.0

UNITS = {
    "app-one.service": "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
    "app-off.service": "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
    "app@.service": "[Service]\nExecStart=/bin/sleep infinity\n",
    "app-timed.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "app-timed.timer": "[Timer]\nOnActiveSec=1\nOnUnitActiveSec=1\nAccuracySec=100ms\n",
    "needs-app.service": (
        "[Unit]\nRequires=app-one.service\nAfter=app-one.service\n[Service]\nExecStart=/bin/sleep infinity\n"
    ),
    "app-stubborn.service": (
        '[Service]\nExecStart=/bin/sh -c "trap : TERM; while :; do sleep 1; done"\nTimeoutStopSec=infinity\n'
        "SendSIGHUP=no\nKillMode=process\n"
    ),
}


@dataclass
class Node:
    engine: Engine

    def run(self, *steps: Step) -> tuple[dict[str, Record], HostOutcome]:
        program = StepsProgram(steps)
        outcome = self.engine.drive({"n1": program})["n1"]
        return program.records, outcome

    def sh(self, script: str) -> str:
        records, outcome = self.run(ShellStep(id="sh", title="sh", act=script))
        assert outcome.state == "done", outcome
        return records["sh"].stdout.decode()

    def well(self, *steps: Step) -> None:
        _, outcome = self.run(*steps)
        assert outcome.state == "done", outcome

    def active(self) -> set[str]:
        names = "app-one app-off app@x app-timed.timer needs-app app-stubborn app-gone"
        script = f"for u in {names}; do systemctl is-active -q $u && echo $u; done; :"
        return set(self.sh(script).split())

    def standing(self) -> survey.Standing:
        lines = dict(line.partition(" ")[::2] for line in self.sh(survey.script()).splitlines())
        return survey.read(lines)

    def reboot(self) -> None:
        later = "systemd-run --quiet --on-active=1 --timer-property=AccuracySec=100ms systemctl reboot"
        self.well(ShellStep(id="boot", title="reboot", act=later, once=True, reconnect=Reconnect(60)))
        self.sh("systemctl is-system-running --wait; :")


@pytest.fixture
def node(healthy) -> Iterator[Node]:
    goal = target(load_inventory(healthy.inventory), "n1", become=True)
    with Engine({"n1": goal}, lambda event: None, run=new_run()) as engine:
        made = Node(engine)
        files = "\n".join(f"cat >/etc/systemd/system/{name} <<'END'\n{text}END" for name, text in UNITS.items())
        made.sh(f"{files}\nsystemctl daemon-reload && systemctl enable -q app-one app-off")
        made.sh("systemctl start app-one app@x app-timed.timer needs-app")
        try:
            yield made
        finally:
            made.sh(
                f"rm -f {FOLDER}/drained {FOLDER}/undraining {FOLDER}/fence /etc/coreops/cordoned\n"
                "systemctl disable -q app-one app-off\n"
                "systemctl kill -s KILL app-stubborn 2>/dev/null\n"
                "systemctl stop app-one app-off app@x app-timed.timer needs-app\n"
                "rm -rf /etc/systemd/system/app* /etc/systemd/system/needs-app*; systemctl daemon-reload; "
                "systemctl reset-failed"
            )


RUNNING = {"app-one", "app@x", "app-timed.timer", "needs-app"}


def test_what_ran_is_stopped_and_started_again_and_nothing_else(node):
    drain = Units(PATTERNS)
    node.sh("mkdir -p /etc/coreops; echo 'disk is dying' >/etc/coreops/cordoned")
    assert node.active() == RUNNING
    node.well(*drain.cordon(Guard()), *drain.drain(Guard(), PATIENCE))
    assert node.active() == set()
    assert node.standing() == survey.Standing(True, True, "disk is dying")
    records, _ = node.run(drain.drained())
    assert drain.read(records["drained"])
    node.sh("systemctl start app-one app@x app@y app-timed.timer")  # the cordon holds
    assert node.active() == set()
    node.well(*drain.uncordon(Guard(), PATIENCE))
    assert node.active() == RUNNING
    assert node.standing() == survey.Standing(False, True, "disk is dying")
    assert "coreops" not in node.sh("find /etc/systemd/system -name '*coreops*'")
    node.well(*drain.uncordon(Guard(), PATIENCE))  # nothing to do
    assert node.active() == RUNNING


def test_the_cordon_outlives_a_reboot_and_what_the_operator_stopped_stays_stopped(node):
    drain = Units(PATTERNS)
    node.well(*drain.cordon(Guard()), *drain.drain(Guard(), PATIENCE))
    node.reboot()
    assert node.active() == set()  # though app-one and app-off are enabled
    assert node.standing().drained
    node.well(*Units().uncordon(Guard(), PATIENCE))  # the inventory may say something else by now
    assert node.active() == RUNNING


def test_a_reboot_in_the_middle_and_a_second_try_lose_nothing(node):
    drain = Units(PATTERNS)
    node.well(*drain.cordon(Guard()))
    node.sh("systemctl stop app-one")  # as far as the first try came
    node.reboot()
    node.well(*drain.cordon(Guard()), *drain.drain(Guard(), PATIENCE))
    assert node.active() == set()
    node.sh(f"cp {FOLDER}/drained {FOLDER}/undraining; : >{FOLDER}/drained")  # cut off between two files
    node.well(*drain.uncordon(Guard(), PATIENCE))
    assert node.active() == RUNNING


def test_a_unit_that_does_not_stop_fails_the_drain(node):
    drain = Units(PATTERNS)
    node.sh("systemctl start app-stubborn")
    records, outcome = node.run(*drain.cordon(Guard()), *drain.drain(Guard(), 2))
    assert outcome.state == "failed"
    assert b"app-stubborn.service has not stopped within 2 s (deactivating: stop-sigterm)" in records["drain"].stderr
    assert failure_kind(records["drain"]) == "failed"
    records, _ = node.run(drain.drained())
    assert drain.read(records["drained"]).left == ("app-stubborn.service (deactivating: stop-sigterm)",)
    records, outcome = node.run(*drain.uncordon(Guard(), 1))
    assert b"app-stubborn.service has not started" in records["uncordon"].stderr
    assert node.active() >= RUNNING
    assert node.standing().drained  # not all is as it was
    node.sh("systemctl kill -s KILL app-stubborn")
    node.well(*drain.uncordon(Guard(), PATIENCE))
    assert node.active() == RUNNING | {"app-stubborn"}
    assert not node.standing().drained


def test_a_transient_unit_ends_and_is_not_missed(node):
    drain = Units(PATTERNS)
    node.sh("systemd-run -q --unit=app-gone sleep infinity")
    node.well(*drain.cordon(Guard()), *drain.drain(Guard(), PATIENCE))
    assert node.active() == set()
    node.well(*drain.uncordon(Guard(), PATIENCE))
    assert node.active() == RUNNING


def test_without_patterns_the_node_is_drained_all_the_same(node):
    node.well(*Units().cordon(Guard()), *Units().drain(Guard(), PATIENCE))
    assert node.standing().drained
    assert node.active() == RUNNING
    node.well(*Units().uncordon(Guard(), PATIENCE))
    assert not node.standing().drained


def test_what_coreops_needs_is_never_stopped(node):
    drain = Units(("systemd-j*.service",))
    records, outcome = node.run(*drain.cordon(Guard()))
    assert outcome.state == "failed"
    assert b"would stop systemd-journal" in records["cordon"].stderr
    assert not node.standing().drained


def test_an_old_controller_and_another_boot_are_refused(node):
    drain = Units(PATTERNS)
    node.well(*drain.cordon(Guard(token=7)))
    records, _ = node.run(*drain.drain(Guard(token=6), PATIENCE))
    assert failure_kind(records["drain"]) == "fenced"
    records, _ = node.run(*drain.uncordon(Guard(boot_id="another"), PATIENCE))
    assert failure_kind(records["uncordon"]) == "rebooted"
    assert node.active() == RUNNING
