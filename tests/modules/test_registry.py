"""Names find modules; every module is complete; its example is a task that it accepts; importing is late."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from coreops.errors import InputError
from coreops.model import Position
from coreops.modules import registry
from coreops.modules.arguments import argument_names, parse
from tests.modules.harness import HERE

ALL = sorted({registry.short_name(name) for name in registry.names()})


def test_the_list() -> None:
    assert ALL == [
        "assert", "command", "copy", "debug", "fail", "file", "get_url", "group", "lineinfile", "ping", "reboot",
        "script", "set_fact", "setup", "shell", "stat", "systemd", "template", "unarchive", "user", "wait_for",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["service", "ansible.builtin.systemd", "ansible.builtin.service", "systemd_service"])
def test_aliases_and_full_names(name: str) -> None:
    assert registry.get(name) is registry.get("systemd")
    assert registry.known(name)


def test_unknown() -> None:
    with pytest.raises(InputError) as caught:
        registry.get("templat", Position("p.yml", 1, 2))
    assert "did you mean 'template'?" in str(caught.value)
    assert "p.yml:1:2" in str(caught.value)
    assert not registry.known("templat")


@pytest.mark.parametrize("name", ALL)
def test_every_module_is_complete(name: str) -> None:
    module = registry.get(name)
    assert module.name == name
    assert module.summary
    assert not module.summary.endswith(".")
    for argument in module.arguments.declared.values():
        assert argument.description, f"{name}.{argument.names[0]} has no description"
    (task,) = yaml.safe_load(module.example)
    assert task.pop("name")
    raw = task.pop(name)
    raw = raw | task.pop("args", {}) if isinstance(raw, dict) else raw
    if task.get("args"):
        assert module.free_form
        raw = {module.free_form: raw, **task.pop("args")}
    assert set(task) <= {"register", "when", "changed_when", "args"}
    parse(module, raw, HERE)


def test_an_error_names_the_place_of_the_argument() -> None:
    places = {"mode": Position("p.yml", 7, 9)}
    with pytest.raises(InputError) as caught:
        parse(registry.get("file"), {"path": "/x", "mode": "zzz"}, HERE, lambda name: places.get(name, HERE))
    assert str(caught.value).startswith("p.yml:7:9: file: mode: 'zzz' is not a file mode")


def test_argument_names() -> None:
    assert argument_names(registry.get("file"))["path"] == ("dest", "name")
    assert argument_names(registry.get("systemd"))["daemon_reload"] == ("daemon-reload",)
    assert argument_names(registry.get("copy"))["validate"] == ()


def test_only_what_is_asked_for_is_imported() -> None:
    code = (
        "import sys; from coreops.modules import registry; registry.names();"
        "assert 'coreops.modules.copy' not in sys.modules; registry.get('copy');"
        "assert 'coreops.modules.unarchive' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_reference_is_current() -> None:
    script = Path(__file__).parents[2] / "scripts" / "docs-modules"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
