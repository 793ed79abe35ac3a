"""Every platform x role x target of the shipped templates, held against golden files.

``COREOPS_GOLDEN=write`` writes them anew: read the diff. ``golden/TARGET/WHICH`` says which file a platform is given.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from coreops.cloudconfig.validate.check import judge
from tests.cloudconfig.support import FULL, PLAIN, PLATFORMS, ROLES, TARGETS, rendered

GOLDEN = Path(__file__).parent / "golden"
CASES = [(target, role) for target in TARGETS for role in ROLES]
ALL = (None, *PLATFORMS)


def found(target: str) -> tuple[dict[str, bytes], str]:
    """The files of a target, and which platform is given which; a file is named after the first that is given it."""
    files: dict[str, bytes] = {}
    lines = []
    for role in ROLES:
        by_name: dict[str, list[str]] = {}
        for platform in ALL:
            one = rendered(FULL, role, target, platform)
            suffix = one.name.partition(".")[2]
            name = next((name for name in by_name if files[name] == one.data), None)
            name = name or f"{role}{f'-{platform}' if platform else ''}.{suffix}"
            files[name] = one.data
            by_name.setdefault(name, []).append(platform or "(none)")
        lines += [f"{name}: {' '.join(platforms)}\n" for name, platforms in by_name.items()]
        losses = rendered(FULL, role, target).losses
        lines += [f"  {loss}\n" for loss in losses]
    return files, "".join(lines)


@pytest.mark.parametrize("target", TARGETS)
def test_golden(target: str) -> None:
    folder = GOLDEN / target
    files, which = found(target)
    if os.environ.get("COREOPS_GOLDEN") == "write":
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        (folder / "WHICH").write_text(which)
    assert which == (folder / "WHICH").read_text()
    assert {path.name for path in folder.iterdir()} == {*files, "WHICH"}
    for name, data in files.items():
        assert data.decode() == (folder / name).read_text(), name


def test_no_golden_folder_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir() if path.is_dir()} == set(TARGETS)


@pytest.mark.parametrize(("target", "role"), CASES)
def test_what_the_templates_ask_for_is_said_by_every_target(target: str, role: str) -> None:
    assert [rendered(PLAIN, role, target, platform).losses for platform in ALL] == [()] * len(ALL)


@pytest.mark.parametrize(("target", "role"), CASES)
@pytest.mark.parametrize("inventory", [PLAIN, FULL], ids=["plain", "full"])
def test_our_own_judge_finds_nothing(inventory: str, target: str, role: str) -> None:
    for platform in ALL:
        one = rendered(inventory, role, target, platform)
        verdict = judge(one.data, one.name, PLATFORMS[platform] if platform else None, target)
        found = [each for each in verdict.findings if each.severity != "info"]
        if inventory == FULL and target != "coreos":
            # FULL keeps a literal $private_ipv4 on purpose, which only coreos-cloudinit has a way to write.
            found = [each for each in found if each.rule != "substitution"]
        assert [str(each) for each in found] == [], platform


@pytest.mark.parametrize(("target", "role"), CASES)
def test_our_own_judge_tells_what_a_render_is_for(target: str, role: str) -> None:
    one = rendered(FULL, role, target)
    assert judge(one.data, one.name).kind == target


def digest() -> str:
    """Of everything that the matrix makes."""
    whole = hashlib.sha256()
    for target, role in CASES:
        for platform in ALL:
            one = rendered(FULL, role, target, platform)
            whole.update(repr((one.name, one.losses)).encode() + one.data)
    return whole.hexdigest()


@pytest.mark.slow
def test_another_process_elsewhere_makes_the_same_bytes(tmp_path: Path) -> None:
    elsewhere = {"PYTHONHASHSEED": "4711", "TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "HOME": str(tmp_path)}
    env = {**os.environ, **elsewhere, "PYTHONPATH": str(Path(__file__).parents[2])}
    script = "from tests.cloudconfig.test_matrix import digest; print(digest())"
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == digest()
