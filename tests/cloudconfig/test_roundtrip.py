"""model -> render -> parse -> the same model, for random nodes with hostile values in every key.

What a target writes in other words (files and units for keys that it has not) is read back from those words.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import shlex
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from coreops.cloudconfig.marked import parse
from coreops.cloudconfig.model import Node, node_of
from coreops.cloudconfig.targets import TARGETS
from coreops.cloudconfig.validate.check import judge
from coreops.errors import InputError
from tests.cloudconfig.nodes import nodes
from tests.cloudconfig.support import FULL, HOSTILE, ROLES, node, rendered

THOROUGH = settings(
    max_examples=int(os.environ.get("COREOPS_EXAMPLES", "25")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
NOT_COREOS = ("environment", "etc_hosts", "time", "swap", "storage", "coreos.etcd_member", "coreos.docker")
OTHER_SERVICES = tuple(
    f"coreos.{name}" for name in ("etcd", "etcd2", "etcd_member", "fleet", "flannel", "locksmith", "oem", "update")
)
IMPORTS = tuple(f"users.coreos_ssh_import_{name}" for name in ("github", "github_users", "url"))
OTHERS = (*OTHER_SERVICES, *IMPORTS, "coreos.docker", "storage", "write_files.encoding", "coreos.units.runtime")
UNITS = ("/etc/systemd/system/", "/etc/systemd/network/")


def given_keys(value: Any) -> Any:
    """Without what is empty or a default: that is not written."""
    if isinstance(value, dict):
        found = {key: given_keys(each) for key, each in value.items()}
        return {key: each for key, each in found.items() if each not in ({}, [], (), None)}
    return [given_keys(each) for each in value] if isinstance(value, list | tuple) else value


def shown(one: Node) -> Any:
    return given_keys(one.model_dump(exclude_defaults=True))


def render(target: str, one: Node) -> bytes:
    """The document. Nodes whose keys fight over a file, or that no reader would read alike, are refused: not these."""
    try:
        return TARGETS[target](one).data
    except InputError:
        assume(False)
        raise


@THOROUGH
@given(nodes(*NOT_COREOS))
def test_coreos_is_read_back_as_the_same_node(one: Node) -> None:
    data = render("coreos", one)
    assert shown(node_of(parse(data.decode(), "user-data"))) == shown(one)
    assert given_keys(yaml.safe_load(data) or {}) == shown(one)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@THOROUGH
@given(one=nodes())
def test_our_own_judge_knows_every_key_and_type(target: str, one: Node) -> None:
    found = judge(render(target, one), "user-data", target=target).findings
    assert [str(each) for each in found if each.rule in ("unknown-key", "type", "header") or each.unreadable] == []


def from_node(one: Node) -> dict[str, Any]:
    """What a machine is to have, in no target's words."""
    users = {user.name: given_keys(user.model_dump(exclude_defaults=True)) for user in one.users}
    return {
        "hostname": one.hostname,
        "users": users,
        "files": {
            each.path: (each.content.encode(), int(each.permissions or "0644", 8), each.owner)
            for each in one.write_files
        },
        "units": {
            unit.name: (unit.content or "", {each.name: each.content for each in unit.drop_ins})
            for unit in one.coreos.units
            if unit.content or unit.drop_ins
        },
        "masked": {unit.name for unit in one.coreos.units if unit.mask},
        "hosts": {address: names for address, names in one.etc_hosts.items() if names},
        "environment": one.environment,
        "servers": list(one.time.servers) if one.time else [],
        "zone": one.time.zone if one.time else None,
    }


def units_of(files: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Units and drop-ins from the files that they are."""
    found: dict[str, Any] = {}
    for path, content in files:
        name, _, drop_in = path.split("/", 4)[4].partition(".d/")
        text, drop_ins = found.get(name, ("", {}))
        found[name] = (text, {**drop_ins, drop_in: content}) if drop_in else (content, drop_ins)
    return found


def variables(text: str) -> dict[str, str]:
    """NAME=value lines, as a shell reads them."""
    lines = (line.partition("=") for line in text.split("\n") if line)
    return {name: "".join(shlex.split(value)) for name, _, value in lines}


def hosts(text: str) -> dict[str, Any]:
    rows = (line.split(" ") for line in text.splitlines() if " localhost" not in line)
    return {address: tuple(names) for address, *names in rows if any(names)}


def from_cloud_init(data: bytes) -> dict[str, Any]:
    said = yaml.safe_load(data) or {}
    written = {each["path"]: each for each in said.get("write_files", ())}
    own = {name: written.pop(name, {}).get("content", "") for name in ("/etc/environment", "/etc/hosts")}
    unit_files = [path for path in written if path.startswith(UNITS)]
    units = units_of((path, written.pop(path)["content"]) for path in unit_files)
    users = {}
    for user in (dict(each) for each in said.get("users", ()) if each != "default"):
        assert user.pop("lock_passwd", None) is (False if "passwd" in user else None)
        assert ("sudo" in user) == bool({"sudo", "wheel"} & set(user.get("groups", ())))
        user.pop("sudo", None)
        users[user["name"]] = user
    return {
        "hostname": said.get("hostname"),
        "users": users,
        "files": {
            path: (each.get("content", "").encode(), int(each.get("permissions", "0644"), 8), each.get("owner"))
            for path, each in written.items()
        },
        "units": units,
        "masked": {
            words[-3].rpartition("/")[2]
            for words in map(shlex.split, said.get("runcmd", ()))
            if "mask" in words or "/dev/null" in words
        },
        "hosts": hosts(own["/etc/hosts"]),
        "environment": variables(own["/etc/environment"]),
        "servers": said.get("ntp", {}).get("servers", []),
        "zone": said.get("timezone"),
    }


@THOROUGH
@given(nodes(*OTHERS, "manage_etc_hosts"))
def test_cloud_init_is_read_back_as_the_same_node(one: Node) -> None:
    said = from_node(one)
    said["servers"] = list(dict.fromkeys(said["servers"]))
    assert from_cloud_init(render("cloud-init", one)) == said


def content_of(one: dict[str, Any]) -> bytes:
    """What Ignition's or Butane's ``contents`` holds."""
    contents = one["contents"]
    if "inline" in contents:
        return str(contents["inline"]).encode()
    head, _, body = contents["source"].partition(",")
    data = unquote_to_bytes(body)
    data = base64.b64decode(data) if head == "data:;base64" else data
    return gzip.decompress(data) if contents.get("compression") == "gzip" else data


def snake(value: Any) -> Any:
    if isinstance(value, dict):
        return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): snake(each) for key, each in value.items()}
    return [snake(each) for each in value] if isinstance(value, list) else value


def from_ignition(said: Any, keys: Iterable[str]) -> dict[str, Any]:
    """Ignition's JSON, or Butane's YAML: the same in other letters. keys: of the default user."""
    said = snake(said)
    storage = said.get("storage", {})
    written = {each["path"]: each for each in storage.get("files", ())}
    own = {
        name: content_of(written.pop(path)).decode() if path in written else ""
        for name, path in {
            "hostname": "/etc/hostname",
            "hosts": "/etc/hosts",
            "environment": "/etc/environment",
            "time": "/etc/systemd/timesyncd.conf.d/20-coreops.conf",
        }.items()
    }
    # Units are files where Ignition's own parser does not take them.
    systemd = [path for path in written if path.startswith(("/etc/systemd/network/", "/etc/systemd/system/"))]
    units = units_of((path, content_of(written.pop(path)).decode()) for path in systemd)
    found = said.get("systemd", {}).get("units", [])
    for unit in found:
        drop_ins = {each["name"]: each["contents"] for each in unit.get("dropins", ())}
        if drop_ins or unit.get("contents"):
            content, more = units.get(unit["name"], ("", {}))
            units[unit["name"]] = (unit.get("contents", content), more | drop_ins)
    links = {each["path"]: each["target"] for each in storage.get("links", ())}
    masked = {path.rpartition("/")[2] for path, target in links.items() if target == "/dev/null"}
    users = {user["name"]: user for user in said.get("passwd", {}).get("users", ())}
    for user in users.values():
        renamed = {"password_hash": "passwd", "home_dir": "homedir"}
        for new, old in renamed.items():
            if new in user:
                user[old] = user.pop(new)
    if keys:
        # The default user's keys come first, and a key is there once.
        assert users["core"]["ssh_authorized_keys"][: len(set(keys))] == list(dict.fromkeys(keys))
        if set(users["core"]) == {"name", "ssh_authorized_keys"}:
            users.pop("core")
    return {
        "hostname": own["hostname"].rstrip("\n") or None,
        "users": users,
        "files": {path: (content_of(each), each["mode"], owner(each)) for path, each in written.items()},
        "units": units,
        "masked": masked | {unit["name"] for unit in found if unit.get("mask")},
        "hosts": hosts(own["hosts"]),
        "environment": variables(own["environment"]),
        "servers": own["time"].partition("NTP=")[2].split(),
        "zone": links.get("/etc/localtime", "").partition("zoneinfo/")[2] or None,
    }


def owner(said: dict[str, Any]) -> str | None:
    """``user:group``, as the node says it."""
    names = [str(next(iter(said[key].values()))) for key in ("user", "group") if key in said]
    return ":".join(names) or None


SPECIAL_BITS = 0o7000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "read", "spec"),
    [
        ("ignition", json.loads, "3.3.0"),
        ("ignition", json.loads, "3.4.0"),
        ("butane", yaml.safe_load, "3.3.0"),
        ("butane", yaml.safe_load, "3.4.0"),
    ],
)
@THOROUGH
@given(one=nodes(*OTHERS, "swap", "manage_etc_hosts", "users.ssh_authorized_keys"))
def test_ignition_is_read_back_as_the_same_node(
    target: str, read: Callable[[bytes], Any], spec: str, one: Node
) -> None:
    try:
        done = TARGETS[target](one, spec)
    except InputError:
        assume(False)
    said = from_node(one)
    for user in said["users"].values():
        if "groups" in user:
            user["groups"] = list(dict.fromkeys(user["groups"]))
    lost = {loss.key for loss in done.losses}
    for unit in one.coreos.units:
        if unit.mask and unit.content and f"coreos.units[{unit.name}].content" in lost:
            # A network unit, or one that Ignition's own parser does not take: a file. Only one of the two can be at
            # this path, and masks win on CoreOS too.
            _, drop_ins = said["units"].pop(unit.name)
            said["units"] |= {unit.name: ("", drop_ins)} if drop_ins else {}
    gone = {path for path in said["files"] if f"write_files[{path}]" in lost}
    assert all(path.startswith(("/run/", "/tmp/", "/dev/", "/proc/", "/sys/")) for path in gone)
    said["files"] = {path: each for path, each in said["files"].items() if path not in gone}
    if spec == "3.3.0":
        said["files"] = {path: (data, mode & ~SPECIAL_BITS, who) for path, (data, mode, who) in said["files"].items()}
    found = from_ignition(read(done.data), one.ssh_authorized_keys)
    assert found == said


@THOROUGH
@given(one=nodes(), seed=st.randoms(use_true_random=False))
def test_the_order_of_keys_makes_no_difference(one: Node, seed: random.Random) -> None:
    dump = one.model_dump(exclude_unset=True)
    other = Node.model_validate(shuffled(dump, seed, keep=("environment", "etc_hosts")))
    for target in TARGETS:
        assert render(target, other) == render(target, one)


def shuffled(value: Any, seed: random.Random, keep: tuple[str, ...]) -> Any:
    """keep: mappings whose order the operator chose."""
    if isinstance(value, dict):
        items = [(key, each if key in keep else shuffled(each, seed, keep)) for key, each in value.items()]
        seed.shuffle(items)
        return dict(items)
    return tuple(shuffled(each, seed, keep) for each in value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("role", ROLES)
def test_full_renders_are_read_back(role: str) -> None:
    data = rendered(FULL, role, "coreos").data
    again = node_of(parse(data.decode(), "user-data"))
    assert TARGETS["coreos"](again).data == data


def test_the_hostile_node_is_read_back() -> None:
    one = node(HOSTILE)
    assert shown(node_of(parse(TARGETS["coreos"](one).data.decode(), "user-data"))) == shown(one)
