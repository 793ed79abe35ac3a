"""What can be told of the drain without systemd; ``tests/lab/test_drain.py`` has the rest."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.model import Record, ShellStep
from coreops.upgrade.drain import survey
from coreops.upgrade.drain.protocol import Drain, Drained
from coreops.upgrade.drain.units import Units, parse
from coreops.upgrade.guard import Guard, failure_kind
from tests.support.shells import EACH_SHELL, run_steps


@pytest.mark.parametrize("value", [None, "none", {"units": []}])
def test_none(value):
    assert parse(value) == Units()


def test_patterns():
    found = parse({"units": ["app-*.service", "job@[0-9].timer"]})
    assert found.patterns == ("app-*.service", "job@[0-9].timer")
    assert found.covers("app-1.service")
    assert not found.covers("App-1.service")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("units", "upgrade_drain is not usable"),
        ({"unit": []}, "did you mean 'units'?"),
        ({"units": "app.service"}, "must be a list"),
        ({"units": ["app"]}, "must end in .service"),
        ({"units": ["a b.service"]}, "is not a pattern"),
        ({"units": ["-a.service"]}, "is not a pattern"),
        ({"units": ["$(reboot).service"]}, "is not a pattern"),
        ({"units": ["app.mount"]}, "must end in .service"),
        ({"units": ["*.service"]}, "would stop sshd.service"),
        ({"units": ["etcd.service"]}, "would stop etcd.service"),
        ({"units": [1]}, "is not a pattern"),
    ],
)
def test_says_what_is_wrong(value, says):
    with pytest.raises(InputError, match=r"^inv\.yml:") as caught:
        parse(value, "inv.yml")
    assert says in str(caught.value)


@given(st.text(max_size=20))
def test_a_pattern_is_one_word_to_every_shell(text):
    with suppress(InputError):
        (pattern,) = parse({"units": [text + ".service"]}).patterns
        assert pattern.split() == [pattern]


def test_it_is_a_drain():
    drain: Drain = Units(("a.service",))
    steps = [*drain.cordon(Guard()), *drain.drain(Guard(), 5), *drain.uncordon(Guard(), 5), drain.drained()]
    assert [step.id for step in steps] == ["cordon", "drain", "uncordon", "drained"]
    assert drain.read(Record("drained", "ok"))
    assert drain.read(Record("drained", "ok", stdout=b"a.service (active: running)\n")) == Drained(
        ("a.service (active: running)",)
    )
    assert not drain.read(Record("drained", "failed", rc=2))


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_another_boot_touches_nothing(tmp_path, shell):
    drain = Units(("a.service",), folder=str(tmp_path / "memory"), system=str(tmp_path / "system"))
    for step in (*drain.cordon(Guard("x")), *drain.drain(Guard("x"), 5), *drain.uncordon(Guard("x"), 5)):
        program, _ = run_steps([step], shell)
        assert failure_kind(program.records[step.id]) == "rebooted"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_without_patterns_no_systemd_is_needed_and_twice_is_as_once(tmp_path, monkeypatch, shell):
    broken = tmp_path / "systemctl"
    broken.write_text("#!/bin/sh\necho called >&2; exit 9\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    drain = Units(folder=str(tmp_path), system=str(tmp_path / "system"))
    for steps in (drain.cordon(Guard()), drain.drain(Guard(), 5), drain.uncordon(Guard(), 5)):
        for _ in range(2):
            assert run_steps(steps, shell)[1].state == "done"
        assert (tmp_path / "drained").exists() == (steps[0].id != "uncordon")


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_how_a_node_stands(tmp_path, shell):
    folder, cordon = tmp_path / "it's $(mine)", tmp_path / "cordoned"
    folder.mkdir()

    def look() -> survey.Standing:
        step = ShellStep(id="s", title="s", probe=survey.script(str(folder), str(cordon)))
        program, outcome = run_steps([step], shell)
        assert outcome.state == "done"
        text = program.records["s"].stdout.decode(errors="replace")
        return survey.read(dict(line.partition(" ")[::2] for line in text.splitlines()))

    assert look() == survey.Standing()
    (folder / "undraining").touch()
    cordon.touch()
    assert look() == survey.Standing(drained=True, cordoned=True)
    cordon.write_text("dying \x1b[31mdisk; drained no\nsecond line\n")
    assert look() == survey.Standing(True, True, "dying  [31mdisk; drained no")
