"""The traps that units with containers fall into; and a good unit falls into none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.units import seconds
from coreops.units.traps import traps
from tests.units.texts import WEB, unit

RUN = "ExecStart=/usr/bin/docker run --rm --init --name a --ulimit nofile=9 x"
RM = "ExecStartPre=-/usr/bin/docker rm -f a"


def rules(*lines: str) -> dict[str, int]:
    text = "[Service]\n" + "\n".join(lines) + "\n"
    return {trap.rule: trap.at.line for trap in traps(unit(text).file)}


def test_a_good_unit() -> None:
    assert traps(unit(WEB, "web@1.service").file) == ()
    assert rules(RM, RUN) == {}
    assert rules("ExecStart=/bin/sleep 1") == {}


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ((RM, RUN.replace("=/usr/bin/docker", '=/bin/sh -c "docker').rstrip() + '"'), {"docker-under-shell": 3}),
        ((RM, RUN.replace("--rm", "-d")), {"docker-detached": 3}),
        ((RM, RUN.replace("--rm", "-d"), "Type=forking"), {}),
        ((RM, RUN.replace("--rm", "-d"), "Type=oneshot", "RemainAfterExit=yes"), {}),
        ((RM, RUN.replace("--name a", "")), {"docker-no-name": 3}),
        ((RUN,), {"docker-name-taken": 2}),
        ((RM.replace("=-", "="), RUN), {"docker-rm-must-work": 2}),
        ((RM, RUN, "TimeoutStopSec=10"), {"stop-timeout": 4}),
        ((RM, RUN, "TimeoutStopSec=1min"), {}),
        ((RM, RUN, "TimeoutStopSec=1min", "ExecStop=/usr/bin/docker stop --time=60 a"), {"stop-timeout": 4}),
        ((RM, RUN, "TimeoutStopSec=1min", "ExecStop=/usr/bin/docker stop -t60 a"), {"stop-timeout": 4}),
        ((RM, RUN.replace("--init", "--stop-timeout 120")), {"stop-timeout": 3, "entrypoint-shell-form": 3}),
        ((RM, RUN, "TimeoutStopSec=0"), {}),
        ((RM, RUN.replace("--init", "")), {"entrypoint-shell-form": 3}),
        ((RM, RUN.replace("--ulimit nofile=9", "")), {"ulimit": 3}),
        ((RM, RUN.replace("--ulimit nofile=9", ""), "LimitNOFILE=9"), {"ulimit-of-the-client": 4}),
        ((RM, "ExecStartPre=/usr/bin/docker pull x", RUN), {"pull-timeout": 3}),
        ((RM, "ExecStartPre=/usr/bin/docker pull x", RUN, "TimeoutStartSec=0"), {}),
        ((RM, RUN, "Type=notify"), {"notify-from-container": 4}),
        (("ExecStart=/usr/bin/rkt run x",), {"no-rkt": 2}),
        (("ExecStart=/bin/true", "ExecStop=/usr/bin/etcdctl rm /x"), {"etcd-v2": 3}),
        (("ExecStart=/bin/sh -c 'etcdctl set /a b --ttl 5'",), {"etcd-v2": 2}),
        (("ExecStart=/usr/bin/etcdctl put a b", "[Unit]", "Requires=etcd2.service"), {"unit-of-container-linux": 4}),
    ],
)
def test_each_trap(lines: tuple[str, ...], found: dict[str, int]) -> None:
    assert rules(*lines) == found


def test_a_trap_says_what_why_and_what_to_do() -> None:
    (trap,) = traps(unit(f"[Service]\n{RUN}\n").file)
    assert str(trap).startswith("a.service:2: nothing removes an old container a [docker-name-taken]\n  why: ")
    assert "ExecStartPre=-/usr/bin/docker rm -f a" in trap.next


@pytest.mark.parametrize(
    ("text", "found"), [("90", 90), ("1min 20s", 80), ("2h", 7200), ("500ms", 0.5), ("infinity", float("inf"))]
)
def test_time_spans(text: str, found: float) -> None:
    assert seconds.read(text) == found


@given(st.text())
def test_any_time_span(text: str) -> None:
    found = seconds.read(text)
    assert found is None or found >= 0
