"""What README.md and docs/ tell the reader to type exists: scripts, commands, options. The tour really runs (lab)."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup

from coreops.cli import _group

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^( *)```console\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
COREOPS = str(Path(sys.executable).with_name("coreops"))
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def commands(page: Path) -> Iterator[str]:
    """The lines after a ``$`` in the console blocks of a page; a trailing backslash joins lines."""
    for block in BLOCK.finditer(page.read_text()):
        text = block[2].replace("\\\n", " ")
        yield from (line.strip().removeprefix("$ ") for line in text.splitlines() if line.strip().startswith("$ "))


def typed() -> list[tuple[str, str]]:
    return [(page.name, command) for page in PAGES for command in commands(page)]


def check_command(words: list[str]) -> None:
    """Follow the words through the tree of commands; every option must be known to the last one."""
    command: Any = _group.root()
    rest = words
    while isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
        name, *rest = rest
        assert name in command.commands, f"no command {name!r}"
        command = _group.load(name) if isinstance(command, _group.LazyGroup) else command.commands[name]
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}
    before_dashes = rest[: rest.index("--")] if "--" in rest else rest
    for word in before_dashes:
        if word.startswith("-"):
            option = word.split("=")[0]
            short = re.fullmatch("-[A-Za-z].+", word) is not None
            assert option in known or (short and word[:2] in known), f"no option {option!r} in {words}"


@pytest.mark.parametrize(("page", "line"), typed())
def test_what_the_reader_types_exists(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    while words and (words[0] == "sudo" or re.match("[A-Z_]+=", words[0])):
        words = words[1:]
    words = words[: next((i for i, word in enumerate(words) if word in ("|", ">", "&&", ";")), len(words))]
    assert words, "an empty command"
    if words[0] == "coreops":
        check_command(words[1:])
    elif words[0].startswith(("scripts/", "./", ".ci/")):
        assert os.access(ROOT / words[0], os.X_OK)


def test_links_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in [*PAGES, *(ROOT / "changelog").rglob("*.md")]
        for target in LINK.findall(page.read_text())
        if not (page.parent / target).exists()
    ]
    assert not broken


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    missing = [page.name for page in PAGES[1:] if page.name != "index.md" and page.name not in index]
    assert not missing


def test_no_gaps_are_left() -> None:
    assert not re.findall("^@[A-Z]+@$", (ROOT / "README.md").read_text(), re.MULTILINE)


def test_changelog_fragments_follow_their_readme() -> None:
    kinds = ("New", "Change", "Fix", "Security", "Removed")
    for fragment in (ROOT / "changelog" / "unreleased").glob("*.md"):
        first, blank, *text = fragment.read_text().splitlines()
        assert first.split(": ")[0] in kinds, fragment
        assert len(first) <= 120, fragment
        assert (blank, bool(text)) == ("", True), fragment


@pytest.mark.lab
def test_the_tour_runs_as_written(tmp_path: Path) -> None:
    """Every coreops line of README.md in order, on a lab of its own."""
    name = "lab-readme"
    folder = tmp_path / "inventories" / name
    lines = [line for line in commands(ROOT / "README.md") if line.startswith("coreops ")]
    assert lines[-1] == "coreops lab down"
    try:
        for line in lines:
            words = [str(folder) if word == "inventories/lab" else word for word in shlex.split(line)]
            words[0] = COREOPS
            if words[1] == "lab":
                words += ["--name", name]
            if words[1:3] == ["lab", "up"]:
                words += ["--inventory", str(folder)]
            done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    finally:
        subprocess.run([COREOPS, "lab", "down", "--name", name], cwd=tmp_path, check=False, timeout=120)
