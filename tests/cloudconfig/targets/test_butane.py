"""Butane: what Butane would make of it is, to the letter, what the target ``ignition`` writes.

There is no Butane to be had here, so the test translates itself, as its documentation says: keys in camel case, inline
contents as data.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from coreops.cloudconfig.model import Node
from coreops.cloudconfig.model.coreos import CoreOS
from coreops.cloudconfig.model.file import File
from coreops.cloudconfig.model.unit import Unit
from coreops.cloudconfig.targets import TARGETS
from coreops.cloudconfig.targets.butane import Octal
from coreops.errors import InputError
from tests.cloudconfig.support import node
from tests.cloudconfig.targets.ignition_reading import ACCOUNTS, HOSTILE, STORAGE, body
from tests.cloudconfig.targets.test_targets import EVERYTHING, OLD

KEYS = {
    "password_hash": "passwordHash",
    "ssh_authorized_keys": "sshAuthorizedKeys",
    "home_dir": "homeDir",
    "no_create_home": "noCreateHome",
    "primary_group": "primaryGroup",
    "no_user_group": "noUserGroup",
    "no_log_init": "noLogInit",
    "wipe_table": "wipeTable",
    "size_mib": "sizeMiB",
    "start_mib": "startMiB",
    "type_guid": "typeGuid",
    "wipe_partition_entry": "wipePartitionEntry",
    "wipe_filesystem": "wipeFilesystem",
    "mount_options": "mountOptions",
}
"""Every key that the two spell differently, from Butane's specification."""


def transpiled(value: Any) -> Any:
    if isinstance(value, list):
        return [transpiled(each) for each in value]
    if not isinstance(value, dict):
        return value
    assert not [key for key in value if "_" in key and key not in KEYS]
    return {KEYS.get(key, key): transpiled(each) for key, each in value.items()}


def plain(found: Any) -> Any:
    """A config with contents as bytes."""
    for file in found.get("storage", {}).get("files", []):
        contents = file["contents"]
        inline = contents.pop("inline", None)
        contents["data"] = inline.encode() if inline is not None else body(contents["source"])
        contents.pop("source", None)
    return found


def check(one: Node, spec: str | None = None) -> dict[str, Any]:
    done = TARGETS["butane"](one, spec)
    ignition = TARGETS["ignition"](one, spec)
    assert done.losses == ignition.losses
    found: dict[str, Any] = yaml.safe_load(done.data)
    made = transpiled(found)
    assert (made.pop("variant"), made.pop("version")) == ("flatcar", {None: "1.0.0", "3.4.0": "1.1.0"}[spec])
    expected = json.loads(ignition.data)
    expected.pop("ignition")
    assert plain(made) == plain(expected)
    return found


@pytest.mark.parametrize("spec", [None, "3.4.0"])
@pytest.mark.parametrize("text", [EVERYTHING, OLD, STORAGE, ACCOUNTS, "{}"])
def test_butane_makes_of_it_what_ignition_reads(text: str, spec: str | None) -> None:
    check(node(text), spec)


def test_it_can_be_read() -> None:
    text = """write_files:
      - {path: /opt/x, permissions: '0755', content: "a\\nb\\n"}
      - {path: /b, content: /w==, encoding: b64}
    """
    assert TARGETS["butane"](node(text)).data.decode().splitlines() == [
        "variant: flatcar",
        "version: '1.0.0'",
        "storage:",
        "  files:",
        "    - path: /opt/x",
        "      overwrite: true",
        "      contents:",
        "        inline: |",
        "          a",
        "          b",
        "      mode: 0755",
        "    - path: /b",
        "      overwrite: true",
        "      contents:",
        "        source: 'data:;base64,/w=='",
        "      mode: 0644",
    ]


def test_modes_are_written_as_people_write_them() -> None:
    assert [str(Octal(mode)) for mode in (0o644, 0o4755, 0o7, 0)] == ["0644", "04755", "0007", "0000"]


def test_a_spec_that_there_is_not() -> None:
    with pytest.raises(InputError, match="there is no spec"):
        TARGETS["butane"](Node(), "1.0.0")


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.just(HOSTILE))
def test_texts_arrive_unchanged(text: str) -> None:
    unit = Unit(name="a.service", content=f"[Unit]\n{text}", command="start")
    check(Node(write_files=(File(path="/a", content=text),), coreos=CoreOS(units=(unit,))))
