"""What ssh's arguments mean for coreops."""

from __future__ import annotations

import pytest

from coreops.errors import InputError
from coreops.inventory.ssh_args import split_args, understand
from coreops.model import Position

HERE = Position("f", 1, 2)


@pytest.mark.parametrize(
    ("text", "options", "foreign"),
    [
        ("", {}, []),
        ("-J a", {"proxyjump": ["a"]}, []),
        ("-Ja -ik -i k2", {"proxyjump": ["a"], "identityfile": ["k", "k2"]}, []),
        ("-oProxyJump=a -o proxyjump=b", {"proxyjump": ["a", "b"]}, []),
        ("-o 'ProxyJump a'", {"proxyjump": ["a"]}, []),
        ("-o 'ProxyJump = a'", {"proxyjump": ["a"]}, []),
        ("-o IdentityFile='~/a b'", {"identityfile": ["~/a b"]}, []),
        ("-o StrictHostKeyChecking=yes -C -q -T -vvv -o ServerAliveInterval=5", {}, []),
        ("-o GlobalKnownHostsFile=/dev/null", {}, []),
        ("-o ForwardAgent=yes", {}, ["-o ForwardAgent=yes"]),
        ("-F cfg -A -L 1:a:2", {}, ["-F cfg", "-A", "-L 1:a:2"]),
    ],
)
def test_arguments_are_sorted(text: str, options: dict[str, list[str]], foreign: list[str]) -> None:
    found = understand(split_args(text, HERE), HERE)
    assert (found.options, found.foreign) == (options, foreign)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-o StrictHostKeyChecking=no", "StrictHostKeyChecking=no is refused"),
        ("-ostricthostkeychecking=ACCEPT-NEW", "is refused"),
        ("-o 'StrictHostKeyChecking off'", "is refused"),
        ("-o UserKnownHostsFile=/dev/null", "is refused"),
        ("host", "'host' is not an ssh option"),
        ("-", "'-' is not an ssh option"),
        ("--", "'--' is not an ssh option"),
        ("-o", "'-o' needs a value"),
        ("-J ''", "'-J' needs a value"),
        ("'", "ssh arguments cannot be split"),
    ],
)
def test_arguments_that_weaken_or_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        understand(split_args(text, HERE), HERE)
    assert message in str(caught.value)
    assert caught.value.where == "f:1:2"
