"""sudo: the command line, its complaints, the password."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreops.model import Target
from coreops.transport.become import launch, sudo_cause

TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)


@settings(max_examples=40, deadline=None)
@given(TEXT)
def test_any_command_survives_the_login_shell(value: str) -> None:
    started = launch(f"printf %s {shlex.quote(value)}", Target(name="n", address="n"))
    for shell in ("sh", "bash"):
        assert subprocess.run([shell, "-c", started.command], capture_output=True, check=True).stdout == value.encode()


def test_the_password_is_in_no_command_line_and_no_repr() -> None:
    target = Target(name="n", address="n", become=True, become_password="s3cret")
    started = launch("true", target)
    assert "s3cret" not in started.command
    assert "s3cret" not in repr(target)
    assert "-S" in started.command
    assert "sudo -n --" in launch("true", Target(name="n", address="n", become=True)).command


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("sudo: a password is required", "sudo asks for a password"),
        ("sudo: interactive authentication is required", "sudo asks for a password"),
        ("sudo: a terminal is required to read the password; either use ...", "sudo asks for a password"),
        ("core is not in the sudoers file.  This incident will be reported.", "sudo refuses this user"),
        ("core is not in the sudoers file.", "sudo refuses this user"),
        ("Sorry, user core is not allowed to execute '/bin/sh' as root on n1.", "sudo refuses this user"),
        ("Sorry, user core may not run sudo on n1.", "sudo refuses this user"),
        ("sudo: sorry, you must have a tty to run sudo", "sudo wants a terminal"),
        ("sudo: 1 incorrect password attempt", "sudo rejected the password"),
        ("sh: 1: exec: sudo: not found", "sudo is not installed"),
        ("bash: line 1: exec: sudo: not found", "sudo is not installed"),
        ("bash: sudo: command not found", "sudo is not installed"),
        ("sudo: unable to resolve host n1: Name or service not known", None),
        ("mkdir: Permission denied", None),
    ],
)
def test_what_sudo_says(said: str, what: str | None) -> None:
    cause = sudo_cause(f"motd\n{said}\n")
    assert (cause and cause.what) == what
