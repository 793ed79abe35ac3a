"""From a Target, ssh_args and ssh_config to hops."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.model import Target
from coreops.transport.sshconfig import parse_ssh_args, resolve, split_jump

CONFIG = """
Include extra/*.conf
Host short
    HostName long.example.org
    Port 2200
    User core
    IdentityFile ~/.ssh/special
    UserKnownHostsFile ~/.ssh/kh1 ~/.ssh/kh2
    ConnectTimeout 7
Host inner
    ProxyJump core@short,10.0.0.9:2201
Host looped
    ProxyJump looped
Host commanded
    ProxyCommand nc %h %p %%x %r
Host aliased
    HostKeyAlias other
"""


@pytest.fixture(autouse=True)
def config() -> Path:
    folder = Path("~/.ssh").expanduser()
    (folder / "extra").mkdir(parents=True)
    (folder / "extra" / "a.conf").write_text("Host included\n  Port 99\n")
    (folder / "config").write_text(CONFIG)
    return folder


def hop(address: str, **fields: object) -> tuple[object, ...]:
    last = resolve(Target(name="n", address=address, **fields))[-1]  # type: ignore[arg-type]
    return (last.host, last.port, last.user)


def test_ssh_config_fills_what_the_target_leaves_open(config: Path) -> None:
    (way,) = resolve(Target(name="n", address="short"))
    assert (way.host, way.port, way.user, way.timeout) == ("long.example.org", 2200, "core", 7.0)
    assert way.identity_files == (config / "special",)
    assert way.host_keys.files == (config / "kh1", config / "kh2")
    assert way.host_keys.name == "[long.example.org]:2200"


def test_the_target_wins_over_args_and_those_over_ssh_config() -> None:
    assert hop("short", port=1, user="me") == ("long.example.org", 1, "me")
    assert hop("short", ssh_args=("-p", "5", "-oUser=arg")) == ("long.example.org", 5, "arg")
    assert hop("short", port=1, ssh_args=("-p5",))[1] == 1


def test_includes_are_followed() -> None:
    assert hop("included")[1] == 99


def test_jump_hosts_are_resolved_themselves() -> None:
    way = resolve(Target(name="n", address="inner", identity_files=(Path("/k"),)))
    assert [(step.host, step.port) for step in way] == [("long.example.org", 2200), ("10.0.0.9", 2201), ("inner", 22)]
    assert way[0].identity_files[-1] == Path("/k")


def test_the_targets_own_jump_wins_and_none_means_none() -> None:
    assert len(resolve(Target(name="n", address="inner", proxy_jump="b"))) == 2
    assert len(resolve(Target(name="n", address="inner", proxy_jump="none"))) == 1
    assert len(resolve(Target(name="n", address="x", ssh_args=("-J", "a,b")))) == 3


def test_a_circle_is_refused() -> None:
    with pytest.raises(InputError, match="circle"):
        resolve(Target(name="n", address="looped"))


def test_proxy_command_tokens_and_key_alias() -> None:
    assert resolve(Target(name="n", address="commanded", user="u"))[0].proxy_command == "nc commanded 22 %x u"
    assert resolve(Target(name="n", address="aliased", port=2222))[0].host_keys.name == "other"


@pytest.mark.parametrize(
    "args",
    [
        ("-o", "StrictHostKeyChecking=no"),
        ("-oStrictHostKeyChecking off",),
        ("-S", "x"),
        ("stray",),
        ("-p",),
        ("-p", "x"),
        ("-J", "@"),
        ("-J", "h:x"),
    ],
)
def test_args_that_are_unsafe_or_not_understood_are_bad_input(args: tuple[str, ...]) -> None:
    with pytest.raises(InputError):
        resolve(Target(name="n", address="x", ssh_args=args))


def test_accept_new_may_come_from_the_args() -> None:
    assert resolve(Target(name="n", address="x", ssh_args=("-oStrictHostKeyChecking=accept-new",)))[
        0
    ].host_keys.accept_new


@given(st.lists(st.text(max_size=8), max_size=5))
def test_no_args_break_the_parser(args: list[str]) -> None:
    with contextlib.suppress(InputError):
        parse_ssh_args(tuple(args), "n")


@pytest.mark.parametrize(
    ("jump", "parts"),
    [
        ("h", (None, "h", None)),
        ("u@h:22", ("u", "h", 22)),
        ("u@x@h", ("u@x", "h", None)),
        ("[::1]:22", (None, "::1", 22)),
        ("::1", (None, "::1", None)),
        ("ssh://u@h:2/", ("u", "h", 2)),
    ],
)
def test_jump_spellings(jump: str, parts: tuple[object, ...]) -> None:
    assert split_jump(jump, "n") == parts
