"""coreops inventory list|graph|vars."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coreops.cli.inventory import app
from coreops.errors import InputError
from tests.inventory.support import write

FILES = {
    "hosts.yml": "store:\n  hosts: {'n[1:2]': {zone: a}}\n  vars: {x: 1}\neu: {hosts: {n2: }}\n",
    "group_vars/store.yml": 'x: "two\\e[31m"\nansible_become_password: hunter2\nday: 2024-01-02\nlist: [é]\n',
}


def run(*args: str) -> str:
    result = CliRunner().invoke(app, list(args), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def source(tmp_path: Path) -> str:
    return str(write(tmp_path / "inv", FILES))


def test_list(source: str) -> None:
    assert run("list", "-i", source) == "n1\nn2\n"
    assert run("list", "store:!eu", "-i", source) == "n1\n"
    assert run("list", "-i", source, "--limit", "n2") == "n2\n"
    shown = json.loads(run("list", "-i", source, "--json", "-l", "eu"))
    assert shown["groups"] == {"all": ["n2"], "ungrouped": [], "store": ["n2"], "eu": ["n2"]}
    assert shown["hosts"]["n2"]["groups"] == ["eu", "store"]
    assert shown["hosts"]["n2"]["vars"]["zone"] == "a"


def test_graph(source: str) -> None:
    expected = ["@all:", "  |--@ungrouped:", "  |--@store:", "  |  |--n1", "  |  |--n2", "  |--@eu:", "  |  |--n2"]
    assert run("graph", "-i", source).splitlines() == expected
    assert run("graph", "eu", "-i", source).splitlines() == ["@eu:", "  |--n2"]
    assert json.loads(run("graph", "eu", "-i", source, "--json")) == {"eu": {"hosts": ["n2"], "children": []}}


def test_a_graph_of_many_ways_is_shown_once(tmp_path: Path) -> None:
    rows = [f"[a{n}:children]\nb{n}\nc{n}\n[b{n}:children]\na{n + 1}\n[c{n}:children]\na{n + 1}\n" for n in range(600)]
    write(tmp_path, {"h.ini": "".join(rows) + "[a600]\nn1\n"})
    shown = run("graph", "a598", "-i", str(tmp_path / "h.ini")).splitlines()
    assert [line.rpartition("--")[2] for line in shown] == [
        *("@a598:", "@b598:", "@a599:", "@b599:", "@a600:", "n1", "@c599:", "@a600: (above)"),
        *("@c598:", "@a599: (above)"),
    ]
    assert run("graph", "-i", str(tmp_path / "h.ini")).count("@a600:") == 2


def test_vars_with_their_origin(source: str) -> None:
    shown = run("vars", "n1", "-i", source, "--origin").splitlines()
    at = shown.index('x: "two\\u001b[31m"')
    assert shown[at + 1 : at + 3] == [
        f"    {source}/group_vars/store.yml:1:1",
        f"    {source}/hosts.yml:3:10  (overridden)",
    ]
    entry = json.loads(run("vars", "n1", "-i", source, "--origin", "--json"))["zone"]
    assert entry == {"value": "a", "origin": f"{source}/hosts.yml:2:22", "overrides": []}
    assert json.loads(run("vars", "n1", "-i", source, "--json"))["day"] == "2024-01-02"


def test_no_password_and_no_escape_sequence_is_printed(source: str) -> None:
    for flags in ([], ["--json"], ["--origin"], ["--origin", "--json"]):
        shown = run("vars", "n1", "-i", source, *flags)
        assert "hunter2" not in shown
        assert "\x1b" not in shown
    assert "hunter2" not in run("list", "-i", source, "--json")


def test_the_inventory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COREOPS_INVENTORY", raising=False)
    with pytest.raises(InputError, match="no inventory given"):
        run("list")
    write(tmp_path, {"inventories/lab/hosts.ini": "n1", "other.ini": "n2"})
    assert run("list") == "n1\n"
    monkeypatch.setenv("COREOPS_INVENTORY", "other.ini")
    assert run("list") == "n2\n"
    assert run("list", "-i", "inventories/lab") == "n1\n"
    monkeypatch.delenv("COREOPS_INVENTORY")
    write(tmp_path, {"inventories/prod/hosts.ini": "n3"})
    with pytest.raises(InputError, match=r"inventories/ holds lab, prod"):
        run("list")


def test_unknown_names(source: str) -> None:
    with pytest.raises(InputError, match="no host is named 'n9'"):
        run("vars", "n9", "-i", source)
    with pytest.raises(InputError, match="did you mean 'store'"):
        run("graph", "stor", "-i", source)
