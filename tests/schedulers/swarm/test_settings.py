"""The variables that begin with swarm_ and docker_."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.schedulers.protocol import Cluster, Host
from coreops.schedulers.swarm import settings
from coreops.schedulers.swarm.settings import VARIABLES


def host(**given: Any) -> Host:
    """A host with these variables, read as an inventory's are."""
    read = {key: VARIABLES[key](value) for key, value in given.items()}
    return Host(name="n1", address="10.0.0.1", role="manager", settings=read)


def alone(of: Host) -> Cluster:
    return Cluster(scheduler="swarm", hosts=(of,))


def test_an_engine_without_settings_rotates_its_logs() -> None:
    assert settings.daemon(host()) == {"log-driver": "json-file", "log-opts": {"max-size": "10m", "max-file": "3"}}
    assert settings.proxy(alone(host()), host()) == ""
    assert settings.address(host()) == "10.0.0.1:2377"
    assert settings.listen(host()) == "0.0.0.0:2377"


def test_all_settings_of_an_engine() -> None:
    made = settings.daemon(
        host(
            docker_ulimits={"nofile": 65536, "core": {"soft": 0, "hard": -1}},
            docker_log_driver="journald",
            docker_storage_driver="overlay2",
            docker_registry_mirrors=["https://mirror.example"],
            docker_insecure_registries=["10.0.0.0/8"],
            docker_data_root="/data/docker",
            docker_options={"bip": "172.30.0.1/24", "debug": True},
        )
    )
    assert json.loads(json.dumps(made)) == {
        "default-ulimits": {
            "nofile": {"Name": "nofile", "Soft": 65536, "Hard": 65536},
            "core": {"Name": "core", "Soft": 0, "Hard": -1},
        },
        "log-driver": "journald",
        "storage-driver": "overlay2",
        "registry-mirrors": ["https://mirror.example"],
        "insecure-registries": ["10.0.0.0/8"],
        "data-root": "/data/docker",
        "bip": "172.30.0.1/24",
        "debug": True,
    }


def test_a_proxy_is_the_environment_of_the_engine_quoted_for_systemd() -> None:
    own = host(docker_proxy={"https": 'http://u:p"$\\@proxy:3128', "no": ["10.0.0.0/8", ".example"]})
    assert settings.proxy(alone(own), own).splitlines() == [
        'HTTPS_PROXY="http://u:p\\"$\\\\@proxy:3128"',
        'https_proxy="http://u:p\\"$\\\\@proxy:3128"',
        'NO_PROXY="10.0.0.0/8,.example,10.0.0.1"',
        'no_proxy="10.0.0.0/8,.example,10.0.0.1"',
    ]


def test_the_managers_are_asked_without_the_proxy() -> None:
    first = host(docker_proxy={"http": "http://proxy:3128", "no": "10.0.0.2, .example"})
    others = [
        replace(host(), name=f"n{i}", address=f"10.0.0.{i}", role="manager" if i < 4 else "worker") for i in (2, 3, 4)
    ]
    made = settings.proxy(Cluster(scheduler="swarm", hosts=(first, *others)), first)
    assert made.splitlines()[2] == 'NO_PROXY="10.0.0.2, .example,10.0.0.1,10.0.0.3"'
    only = host(docker_proxy={"no": ".example"})
    assert settings.proxy(alone(only), only) == 'NO_PROXY=".example"\nno_proxy=".example"\n'


def test_addresses_of_version_6() -> None:
    found = host(swarm_advertise_address="fd00::1", swarm_listen_address="::", swarm_port=2400)
    assert (settings.address(found), settings.listen(found)) == ("[fd00::1]:2400", "[::]:2400")


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("docker_live_restore", True, "incompatible"),
        ("swarm_autolock", True, "waits for a key after each restart"),
        ("docker_options", {"live-restore": True}, "is set by docker_live_restore"),
        ("docker_options", {"log-opts": {}}, "is set by docker_log_options"),
        ("docker_options", {"hosts": ["tcp://0.0.0.0"]}, "cannot be set"),
        ("docker_options", {"$(reboot)": 1}, "is not a key"),
        ("docker_ulimits", {"nofile": "many"}, "must be a number"),
        ("docker_ulimits", {"nofile": {"soft": 5, "hard": 4}}, "soft is above hard"),
        ("docker_ulimits", {"nofile": {"soft": -1, "hard": 4}}, "soft is above hard"),
        ("docker_ulimits", {"--x": 1}, "is not a limit"),
        ("docker_registry_mirrors", ["mirror.example"], "is a URL"),
        ("docker_registry_mirrors", "https://x", "must be a list"),
        ("docker_data_root", "/usr/lib/docker", "not in /usr"),
        ("docker_data_root", "/data/$(reboot)", "plain absolute path"),
        ("docker_proxy", {"ftp": "x"}, "http, https, no"),
        ("docker_proxy", {"http": "a\nb"}, "one line"),
        ("docker_log_options", {"max-size": None}, "must be a text"),
        ("swarm_default_addr_pool", ["10.0.0.0/33"], "not an IPv4 network"),
        ("swarm_default_addr_pool", ["10.0.0.0/8", "10.1.0.0/16"], "overlap"),
        ("swarm_default_addr_pool", [], "must be a list"),
        ("swarm_default_addr_pool_mask", 30, "from 8 to 29"),
        ("swarm_task_history", True, "must be a number"),
        ("swarm_cert_expiry", "90", "such as 720h"),
        ("swarm_cert_expiry", "0h", "at least an hour"),
        ("swarm_advertise_address", "eth0", "must be an IP address"),
        ("swarm_listen_address", "-x", "must be an address"),
        ("swarm_port", 0, "from 1 to 65535"),
    ],
)
def test_what_cannot_be_used_says_why(variable: str, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        VARIABLES[variable](value)


def test_what_is_off_may_be_said() -> None:
    assert VARIABLES["docker_live_restore"](False) is False
    assert VARIABLES["swarm_cert_expiry"]("90d") == 90 * 24 * 3600 * 10**9


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(variable=st.sampled_from(sorted(VARIABLES)), value=anything)
def test_no_value_is_a_traceback(variable: str, value: object) -> None:
    with suppress(ValueError):
        VARIABLES[variable](value)
