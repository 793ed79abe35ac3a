"""docs/clouds.md is real: each inventory makes machines with the program it names, and the tables are complete."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from coreops.cli._dispatch import dispatch
from tests.examples import test_azure, test_digitalocean, test_gce, test_openstack
from tests.examples.rig import PROGRAMS

pytestmark = pytest.mark.slow

TEXT = (PROGRAMS.parents[1] / "clouds.md").read_text()
CLOUDS = {
    "digitalocean.py": test_digitalocean.running,
    "openstack.py": test_openstack.running,
    "gce.py": test_gce.running,
    "azure.py": test_azure.running,
}
SECTIONS = {found[0]: each for each in TEXT.split("\n## ") if (found := re.findall(r"clouds/(\w+\.py)\n", each))}


def test_every_program_has_a_section() -> None:
    assert {path.name for path in PROGRAMS.iterdir() if path.is_file()} == set(CLOUDS) == set(SECTIONS)


@pytest.mark.parametrize("program", CLOUDS)
def test_every_setting_is_in_the_table(program: str) -> None:
    spec = spec_from_file_location(program.removesuffix(".py"), PROGRAMS / program)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    known = {*module.NEEDED, *getattr(module, "OPTIONAL", ()), *getattr(module, "FLAGS", ())}
    known |= {"public_ip"} if program == "gce.py" else set()
    rows = [line.split(" | ")[0] for line in SECTIONS[program].splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`command_(\w+)`", row)} == known


@pytest.mark.parametrize("program", CLOUDS)
def test_the_inventory_on_the_page_makes_machines(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", SECTIONS[program], re.DOTALL)
    inventory = tmp_path / "inventories/prod"
    inventory.mkdir(parents=True)
    (inventory / "hosts.yml").write_text(text)
    (tmp_path / "clouds").mkdir()
    shutil.copy(PROGRAMS / program, tmp_path / "clouds")
    monkeypatch.chdir(tmp_path)
    with CLOUDS[program](tmp_path, monkeypatch) as cloud, settling(cloud):
        for command, word in (("provision", "created"), ("provision", "kept"), ("plan", "keep")):
            assert dispatch([command, "inventories/prod"]) == 0, capsys.readouterr().err
            shown = capsys.readouterr().out
            assert [line.split()[:2] for line in shown.splitlines()] == [[word, "n1"], [word, "n2"]]
        assert len(cloud.ids()) == 2
        assert dispatch(["destroy", "inventories/prod", "--yes", "2"]) == 0, capsys.readouterr().err
        assert cloud.ids() == set()


@contextmanager
def settling(cloud: Any) -> Iterator[None]:
    """Let the cloud's time pass."""
    done = Event()

    def work() -> None:
        while not done.wait(0.05):
            with getattr(cloud, "lock", nullcontext()):
                cloud.settle()

    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
