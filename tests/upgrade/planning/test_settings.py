from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.inventory import load_inventory
from coreops.upgrade.drain.units import Units
from coreops.upgrade.gates.spec import HttpGate, UnitGate
from coreops.upgrade.hooks import Hooks
from coreops.upgrade.plan import Patience, Policy
from coreops.upgrade.planning import readers, settings
from coreops.upgrade.planning.settings import HostSettings
from coreops.upgrade.window import Window

HOSTS = "all:\n  hosts:\n    a: {zone: 1}\n    b: {zone: x, upgrade_zone: y, upgrade_canary: true}\n    c: {}\n"


@pytest.fixture
def read(tmp_path):
    def read(variables: str = "", flags=None, playbook: str = "", hosts: str = HOSTS):
        lines = "".join(f"    {line}\n" for line in variables.splitlines())
        (tmp_path / "inv.yml").write_text(hosts + ("  vars:\n" + lines if lines else ""))
        inventory = load_inventory(tmp_path / "inv.yml")
        hooks = None
        if playbook:
            (tmp_path / "upgrade.yml").write_text(playbook)
            hooks = Hooks.load(tmp_path / "upgrade.yml", inventory)
        return settings.read(inventory, list(inventory.hosts), flags, hooks)

    return read


def test_defaults(read):
    found = read()
    assert found.policy == Policy()
    assert found.hosts == {
        "a": HostSettings(zone="1"),
        "b": HostSettings(zone="y", canary=True),
        "c": HostSettings(),
    }
    assert (found.channel, found.repository, found.root, found.origins) == (None, None, None, {})


def test_everything(read, tmp_path):
    found = read(
        """\
upgrade_channel: stable
upgrade_repository: channels
upgrade_root: keys/root.json
upgrade_canaries: 2
upgrade_windows: ["Sat 02:00-05:00 Europe/Berlin", "daily 01:00-02:00"]
upgrade_max_unavailable: 70%
upgrade_max_failures: 1
upgrade_soak: 1m30s
upgrade_samples: 5
upgrade_turn: 10m
upgrade_patience: {gate: 2m, interval: 0.5}
"""
    )
    assert found.policy == Policy(
        max_unavailable=2,
        max_failures=1,
        canaries=2,
        soak=90,
        samples=5,
        windows=(Window.parse("Sat 02:00-05:00 Europe/Berlin"), Window.parse("daily 01:00-02:00")),
        turn=600,
        patience=Patience(gate=120, interval=0.5),
    )
    assert (found.channel, found.root) == ("stable", tmp_path / "keys/root.json")
    assert found.repository == str(tmp_path / "channels")
    assert found.origins["soak"].endswith("inv.yml:14:5")


def test_flags_win_and_are_told_as_the_origin(read, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    flags = {"soak": "5", "windows": ["daily 01:00-02:00"], "max_unavailable": "2", "root": "r.json", "channel": None}
    found = read("upgrade_soak: 10\nupgrade_channel: beta\nupgrade_repository: https://h/x", flags)
    assert (found.policy.soak, found.policy.max_unavailable) == (5, 2)
    assert (str(found.root), found.channel, found.repository) == ("/r.json", "beta", "https://h/x")
    assert (found.origins["soak"], found.origins["windows"]) == ("--soak", "--window")


def test_gates_and_drain_hold_templates(read):
    found = read(
        """\
port: 80
upgrade_gates: [{unit: app.service, when: before}, {http: {url: "http://{{ inventory_hostname }}:{{ port }}/"}}]
upgrade_drain: {units: ["app-{{ inventory_hostname }}.service"]}
"""
    )
    for host in "abc":
        unit, http = found.hosts[host].gates
        assert isinstance(unit, UnitGate)
        assert isinstance(http, HttpGate)
        assert http.url == f"http://{host}:80/"
        assert found.hosts[host].drain == Units((f"app-{host}.service",))


def test_what_a_playbook_says_wins_on_its_hosts(read):
    playbook = "- hosts: a\n  vars: {upgrade_gates: [], upgrade_drain: none}\n  tasks: []\n"
    found = read("upgrade_gates: [{unit: x.service}]\nupgrade_drain: {units: [y.service]}", playbook=playbook)
    assert (found.hosts["a"].gates, found.hosts["a"].drain) == ((), Units())
    assert len(found.hosts["b"].gates) == 1


def test_hosts_that_are_left_alone_need_not_agree_nor_count(read):
    hosts = "all:\n  hosts:\n    a: {upgrade_soak: 9}\n    b: {upgrade_soak: 9}\n    c: {upgrade_exclude: sold}\n"
    found = read("upgrade_max_unavailable: 99%", hosts=hosts)
    assert found.hosts["c"].excluded == "sold"
    assert (found.policy.soak, found.policy.max_unavailable) == (9, 1)
    assert read("upgrade_exclude: all of them\nupgrade_channel: lts").channel == "lts"


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ("upgrade_chanel: x", "did you mean 'upgrade_channel'?"),
        ("upgrade_max_unavailable: 0", "with 0 no node could ever be upgraded"),
        ("upgrade_max_unavailable: 0%", "with 0 no node could ever be upgraded"),
        ("upgrade_max_unavailable: 101%", "more than all nodes"),
        ("upgrade_max_unavailable: -1", "number of nodes or a percentage"),
        ("upgrade_max_failures: yes", "whole number"),
        ("upgrade_samples: 0", "1 or more"),
        ("upgrade_soak: soon", "like 90"),
        ("upgrade_soak: 8d", "up to 7 days"),
        ("upgrade_windows: Sat 5-6", "is not a maintenance window"),
        ("upgrade_windows: [7]", "must be a text"),
        ("upgrade_windows: Sat 02:00-02:00", "can never open"),
        ("upgrade_patience: 5", "must be a mapping"),
        ("upgrade_patience: {gates: 5}", "did you mean 'gate'?"),
        ("upgrade_patience: {gate: 0}", "upgrade_patience.gate is not usable"),
        ("upgrade_canary: maybe", "true or false"),
        ("upgrade_channel: '{{ x }}'", "cannot hold a template"),
        ("upgrade_channel: [stable]", "must be a text"),
        ("upgrade_gates: [{http: {url: 'http://{{ nope }}'}}]", "'nope' is not defined"),
        ("upgrade_gates: [{http: {url: 'http://{{ nope'}}]", "the template cannot be parsed"),
        ("upgrade_gates: [{unit: app}]", "like app.service"),
        ("upgrade_drain: {units: ['*.service']}", "would stop sshd.service"),
        ("upgrade_gates: [{unit: app.service}]\nupgrade_drain: {units: [app.service]}", "can never pass"),
    ],
)
def test_says_what_is_wrong_and_where(read, variables, says):
    with pytest.raises(InputError, match=r"inv\.yml:7:5: ") as caught:
        read(variables)
    assert says in str(caught.value)


def test_flags_are_checked_as_well(read):
    with pytest.raises(InputError, match="--max-unavailable: '0' is not usable"):
        read(flags={"max_unavailable": "0"})
    with pytest.raises(InputError, match="--window: 'x' is not a day"):
        read(flags={"windows": ["x 01:00-02:00"]})


def test_hosts_must_agree_on_what_belongs_to_the_rollout(read):
    with pytest.raises(InputError, match="do not agree on upgrade_soak") as caught:
        read(hosts=HOSTS.replace("zone: 1", "upgrade_soak: 5"))
    assert caught.value.why == "a has 5; b has none"


@pytest.mark.parametrize(
    ("name", "says"),
    [("upgrade_gate", "did you mean 'upgrade_gates'?"), ("upgrade_soak", "set it in the inventory")],
)
def test_playbooks_set_gates_and_drain_only(read, name, says):
    with pytest.raises(InputError, match=r"upgrade\.yml:1") as caught:
        read(playbook=f"- hosts: all\n  vars: {{{name}: 5}}\n  tasks: []\n")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"), [(0, 0), ("90", 90), ("1.5", 1.5), (0.5, 0.5), ("1h30m", 5400), ("2d", 172800), ("90s", 90)]
)
def test_durations(text, seconds):
    assert readers.duration(text) == seconds


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.lists(st.none(), max_size=1))
def test_readers_read_or_raise_value_error(value):
    for reader in (
        readers.duration,
        readers.patience,
        readers.share,
        readers.number(0),
        readers.text,
        readers.word,
        readers.boolean,
        readers.reason,
    ):
        with suppress(ValueError):
            reader(value, None)


@given(st.integers(1, 100), st.integers(0, 10_000))
def test_a_percentage_is_never_none_and_never_more(percent, total):
    nodes = readers.share(f"{percent}%").of(total)
    assert 1 <= nodes <= max(1, total)
    assert nodes == 1 or nodes * 100 <= percent * total
