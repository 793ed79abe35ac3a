"""``lab up --with docker``: an image of its own, and who can have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.providers.namespace import flavour, image, lab, nspawn
from coreops.providers.namespace.lab import Lab
from coreops.providers.namespace.launcher import _POWERS
from coreops.providers.namespace.names import LabNames
from coreops.providers.namespace.plan import LabPlan


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that may have labs."""
    monkeypatch.setenv("COREOPS_LAB_STATE", str(tmp_path / "labs"))
    monkeypatch.setattr(lab, "require_linux_root", lambda: None)
    monkeypatch.setattr(nspawn, "require_programs", lambda **_: None)
    return tmp_path


def known(plan: LabPlan) -> None:
    names = LabNames.of(plan.name)
    names.folder.mkdir(parents=True)
    names.plan_file.write_text(plan.to_json())


def test_docker_is_an_image_of_its_own() -> None:
    assert (
        image.current(flavour.of("docker")).folder != image.current(flavour.of(None)).folder == image.current().folder
    )


def test_every_extra_has_its_powers_and_plain_nodes_keep_theirs() -> None:
    assert set(_POWERS) == {"", *flavour.EXTRAS}
    assert _POWERS[""] == ("--capability=CAP_NET_ADMIN",)


def test_the_plan_remembers_it_and_older_plans_have_none() -> None:
    plan = LabPlan("lab", "10.77.0.0/24", 1, "x", extra="docker")
    assert LabPlan.from_json(plan.to_json()) == plan
    text = LabPlan("lab", "10.77.0.0/24", 1, "x").to_json().replace(',\n  "extra": ""', "")
    assert "extra" not in text
    assert LabPlan.from_json(text).extra == ""


def test_no_boot_plans_it_and_a_later_up_keeps_it(state: Path) -> None:
    assert Lab.up("d", inventory_folder=state / "i", boot=False, extra="docker").plan.extra == "docker"
    assert Lab.up("d", inventory_folder=state / "i", boot=False).plan.extra == "docker"


@pytest.mark.parametrize(
    ("plan", "asked", "message"),
    [
        (None, {"extra": "dokcer"}, "did you mean 'docker'"),
        (None, {"extra": "docker", "driver": "qemu"}, "is for namespace nodes"),
        (LabPlan("d", "10.77.0.0/24", 1, "img"), {"extra": "docker"}, "was booted without docker"),
        (LabPlan("d", "10.77.0.0/24", 1, "img", cloud_init=True), {"extra": "docker"}, "do not go together"),
    ],
)
def test_refused_before_anything_is_touched(
    state: Path, plan: LabPlan | None, asked: dict[str, str], message: str
) -> None:
    if plan:
        known(plan.grown(1))
    with pytest.raises(InputError, match=message):
        Lab.up("d", inventory_folder=state / "i", **asked)  # type: ignore[arg-type]
    assert not (state / "i").exists()
