"""Variables that are wrong are told by their names, before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest

from coreops.errors import InputError
from coreops.model import Position
from coreops.providers.protocol import Wanted
from coreops.providers.qemu.settings import read

HERE = Position("hosts.yml", 4, 2)


def wanted(**settings: Any) -> Wanted:
    return Wanted("n1", "c", b"", {f"qemu_{name}": value for name, value in settings.items()}, HERE)


def test_nothing_need_be_said() -> None:
    found = read(wanted())
    assert (found.memory, found.cpus, found.firmware, found.target, found.subnet) == (
        1024,
        1,
        "uefi",
        "cloud-init",
        None,
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"memory": "plenty"}, "qemu_memory"),
        ({"memory": 1}, "qemu_memory"),
        ({"cpus": 0}, "qemu_cpus"),
        ({"firmware": "bios"}, "qemu_firmware"),
        ({"memry": 1}, "qemu_memry"),
        ({"release": "1.1"}, "qemu_release: did you mean '1.1.0'"),
        ({"release": 1.1}, "qemu_release"),
        ({"release": "1.1.0", "image": "own.raw"}, "leave one out"),
        ({"target": "coreos"}, "qemu_target"),
        ({"image": ""}, "qemu_image"),
        ({"image": "a.raw", "firmware": "gptprio"}, "qemu_firmware"),
        ({"address": "10.0.0.256"}, "qemu_address"),
        ({"address": "$(reboot)"}, "qemu_address"),
        ({"network": "10.0.0.1/24"}, "qemu_network"),
        ({"network": "10.0.0.0/30"}, "qemu_network"),
        ({"address": "10.0.1.5", "network": "10.0.0.0/24"}, "10.0.1.5"),
        ({"address": "10.0.0.1", "network": "10.0.0.0/24"}, "10.0.0.1"),
    ],
)
def test_what_is_wrong_is_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(wanted(**settings))
    assert said in caught.value.what
    assert caught.value.where == str(HERE)
    assert caught.value.next


def test_a_word_that_is_near_is_offered() -> None:
    with pytest.raises(InputError) as caught:
        read(wanted(memry=512))
    assert caught.value.next == "did you mean 'qemu_memory'?"


def test_the_network_is_the_one_named_or_that_of_the_address() -> None:
    assert read(wanted(address="10.9.8.7")).subnet == "10.9.8.0/24"
    assert read(wanted(address="10.9.8.7", network="10.9.0.0/16")).subnet == "10.9.0.0/16"
