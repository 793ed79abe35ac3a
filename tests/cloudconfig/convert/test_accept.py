"""What coreos-cloudinit's reader took and dropped, by the code of its YAML reader."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.cloudconfig.convert.accept import accept
from coreops.cloudconfig.convert.note import Note
from coreops.cloudconfig.validate.tree import parse
from tests.cloudconfig.convert.support import has, plain, run


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("hostname: 0755", "hostname", "0755"),
        ("hostname: off", "hostname", "off"),
        ("hostname: 1e3", "hostname", "1e3"),
        ("hostname: 2001-01-01", "hostname", "2001-01-01"),
        ("ssh_authorized-keys: [a b]\nssh-authorized_keys: [c d]", "ssh_authorized_keys", ["a b", "c d"]),
        ("hostname: a\nhostname: b", "hostname", "b"),
    ],
)
def test_a_text_is_what_is_written(text: str, key: str, value: object) -> None:
    assert plain(run(text))[key] == value


@pytest.mark.parametrize(
    ("written", "value"),
    [("100", 100), ("010", 8), ("0x10", 16), ("0b11", 3), ("-3", -3), ("1_000", 1000), ("2.9", 2), ("1e3", 1000)],
)
def test_whole_numbers(written: str, value: int) -> None:
    found = accept_one(f"coreos: {{etcd2: {{snapshot_count: {written}}}}}")
    assert found == {"coreos": {"etcd2": {"snapshot_count": value}}}


@pytest.mark.parametrize("written", ["'100'", "many", "true", "[1]", "1:30", ".inf", "~"])
def test_no_whole_numbers(written: str) -> None:
    notes: list[Note] = []
    found = accept_one(f"coreos: {{etcd2: {{snapshot_count: {written}}}}}", notes)
    assert found == {"coreos": {"etcd2": {}}}
    assert [(note.kind, note.key) for note in notes] == [("ignored", "coreos.etcd2.snapshot_count")]


def accept_one(text: str, notes: list[Note] | None = None) -> object:
    root = parse(text, "f")
    assert root is not None
    return accept(root, [] if notes is None else notes).plain


@pytest.mark.parametrize("word", ["yes", "on", "True", "y"])
def test_yes(word: str) -> None:
    assert plain(run(f"coreos: {{units: [{{name: a.service, mask: {word}}}]}}"))["coreos"]["units"][0]["mask"] is True


def test_a_quoted_yes_was_no() -> None:
    done = run("coreos: {units: [{name: a.service, enable: 'yes', command: start}]}")
    assert "enable" not in plain(done)["coreos"]["units"][0]
    assert has(done, "ignored: coreos.units[0].enable (user-data:2:", "takes true or false")


def test_unknown_keys_are_ignored_with_their_place() -> None:
    done = run("hostnme: a\nruncmd: [ls]\nzzz: 1\ncoreos:\n  write-files: []\n  etcd_member: {}\n  docker: {}\n")
    assert plain(done) == {}
    assert has(done, "ignored: hostnme (user-data:2:1) -- coreos-cloudinit never read it; did you mean 'hostname'?")
    assert has(done, "ignored: runcmd (user-data:3:1)", "a key of cloud-init")
    assert has(done, "ignored: zzz (user-data:4:1)")
    assert has(done, "ignored: coreos.write-files (user-data:6:3)", "left margin")
    assert has(done, "ignored: coreos.etcd_member", "coreops' node")


def test_a_list_that_is_no_list_is_dropped() -> None:
    done = run("ssh_authorized_keys: ssh-rsa A\nwrite_files: {path: /a}\nusers: [a]")
    assert plain(done) == {}
    assert has(done, "ignored: ssh_authorized_keys", "takes a list here, and dropped text")
    assert has(done, "ignored: write_files", "dropped a mapping")
    assert has(done, "ignored: users[0]", "takes a mapping here")


def test_off_and_0644_are_texts_and_said() -> None:
    done = run("coreos: {update: {reboot-strategy: off}}\nwrite_files:\n  - {path: /a, permissions: 0644}")
    assert plain(done)["coreos"]["update"]["reboot_strategy"] == "off"
    assert plain(done)["write_files"][0]["permissions"] == "0644"
    assert has(done, "changed: coreos.update.reboot-strategy", "'off'", "other readers of YAML make false")
    assert has(done, "changed: write_files[0].permissions", "'0644'", "make 420")


_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text("a1:# é$", max_size=9))
_TREES = st.recursive(
    _SCALARS,
    lambda each: st.one_of(
        st.lists(each, max_size=3),
        st.dictionaries(
            st.sampled_from(("coreos", "users", "units", "name", "write_files", "etcd2", "update", "hostname", "x")),
            each,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(("coreos", "users", "write_files", "hostname", "ssh-authorized-keys")), _TREES))
def test_whatever_is_written_is_taken_or_noted(document: dict[str, object]) -> None:
    notes: list[Note] = []
    root = parse(json.dumps(document), "f")
    assert root is not None
    found = accept(root, notes)
    for key in document:
        name = key.replace("-", "_")
        assert name in found.value or any(note.key.startswith(key) for note in notes)
