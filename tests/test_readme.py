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
from tests.support import warm

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
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&>")
    lexer.whitespace_split = True
    words = list(lexer)
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


YAML = re.compile(r"^```yaml\n# (inventories/lab/\S+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PASSING = (
    (re.compile(r"\d+ min \d+ s\b|\d+(\.\d+)? s\b"), "TIME"),
    (re.compile(r"\b10\.77\.\d+\."), "10.77.0."),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA256"),
    (re.compile(r"(?<= )[0-9a-f]{8}(?= )"), "BOOT"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z"), "WHEN"),
    (re.compile(r"\d{8}-\d{9}-[0-9a-f]{4}"), "RUN"),
    (re.compile(r"\b(running|off) +(up|down) +\d+"), r"\1 \2 PID"),
    (re.compile(r"\b([nz])[123]\b"), r"\1#"),
    (re.compile(r"\d exchanges? a host"), "EXCHANGES"),
    (re.compile(r"\s+"), " "),
)
"""What is another one in every run: which node comes first, addresses, times."""


def lasting(text: str) -> list[str]:
    """The lines of an output without what is another one in every run."""
    lines = text.splitlines()
    for pattern, word in PASSING:
        lines = [pattern.sub(word, line) for line in lines]
    return [line.strip() for line in lines]


def tour() -> Iterator[tuple[str, str]]:
    """Every coreops line of README.md with the output that is shown below it."""
    for block in BLOCK.finditer((ROOT / "README.md").read_text()):
        for part in re.split(r"^\$ ", block[2], flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            if line.startswith("coreops "):
                yield line, output


@pytest.mark.lab
def test_the_tour_runs_as_written(tmp_path: Path) -> None:
    """Every coreops line of README.md in order, on a lab of its own; every line that is shown is really said."""
    name = f"r{os.getpid()}"
    files = dict(YAML.findall((ROOT / "README.md").read_text()))
    assert files
    steps = list(tour())
    assert steps[-1][0] == "coreops lab down"
    env = {**os.environ, "PATH": f"{Path(COREOPS).parent}:{os.environ['PATH']}"}
    try:
        for line, shown in steps:
            mine = line.replace("inventories/lab", f"inventories/{name}")
            mine = re.sub(r"coreops lab (?!image)([a-z]+)", rf"coreops lab \1 --name {name}", mine)
            words = mine.split()
            if shlex.join(words) == mine:  # the shell would make nothing else of it
                done = warm.run([sys.executable, "-c", warm.MAIN, *words[1:]], cwd=tmp_path, env=env, timeout=600)
            else:
                done = subprocess.run(
                    ["sh", "-c", mine], cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=600
                )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            said = (done.stdout + done.stderr).replace(f"{tmp_path}/", "").replace(name, "lab")
            missing = set(lasting(shown)) - {"[...]"} - set(lasting(said))
            assert not missing, f"{line}\n{said}"
            for path, text in files.items():
                file = tmp_path / path.replace("inventories/lab", f"inventories/{name}")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
    finally:
        subprocess.run([COREOPS, "lab", "down", "--name", name], cwd=tmp_path, check=False, timeout=120)
