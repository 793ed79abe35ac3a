"""The first line of what cloud-init reads, and documents that are templates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from coreops.cloudconfig.validate.finding import Finding
from coreops.model import Position
from coreops.yaml_marks import place

HEADER: Final = "#cloud-config"
TEMPLATE: Final = "## template: jinja"
SOURCE: Final = "cloud-init cloudinit/handlers, cloudinit/user_data.py"
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


def is_template(text: str) -> bool:
    """Whether cloud-init renders the text on the machine before it reads it."""
    return re.match(r"##\s*template:\s*jinja", text.removeprefix("\ufeff"), re.IGNORECASE) is not None


def expressions(text: str) -> Iterator[re.Match[str]]:
    """What Jinja would look at in a template."""
    return _JINJA.finditer(text)


def without_template(text: str) -> str:
    """A template as YAML, every other character where it was: a value for what is put in, blanks for the rest."""
    if not is_template(text):
        return text
    return _JINJA.sub(lambda match: re.sub(r"[^\n]", "x" if match[0].startswith("{{") else " ", match[0]), text)


def header(text: str, file: str) -> Iterator[Finding]:
    """Findings on the first line and on line endings."""
    top = Position(file, 1, 1)
    if text.startswith("\ufeff"):
        why = "cloud-init does not find the first line, and ignores the file"
        yield Finding(
            top, "error", "a byte order mark (BOM) before the first line", why, "save it as UTF-8 without BOM"
        )
    body = text.removeprefix("\ufeff")
    if is_template(body):
        yield Finding(
            top,
            "warning",
            "a template: what it becomes is known on the machine only",
            "a variable that is not there becomes the text CI_MISSING_JINJA_VAR; cloud-init schema refuses this line",
            "render it with coreops, where a variable that is not there is an error",
        )
        body = "\n".join(body.split("\n")[1:])
    yield from _first_line(body, top)
    if "\r" in text:
        yield Finding(place(text, text.index("\r"), file), "warning", "lines end in CR LF", "YAML allows it")


def _first_line(text: str, top: Position) -> Iterator[Finding]:
    first = text.split("\n", 1)[0].rstrip()
    if first == HEADER:
        return
    what = f'the first line must be "{HEADER}"'
    lines = [line.strip().lower().lstrip("# ").replace("_", "-") for line in text.split("\n")]
    wanted = HEADER.lstrip("#")
    row = next((number for number, line in enumerate(lines, 1) if line == wanted), 0)
    if row == 1:
        yield Finding(top, "error", what, f"it is {first!r}", "write it without spaces, in small letters")
    elif row:
        yield Finding(top, "error", what, f"{HEADER} is on line {row}", "move it to the first line")
    else:
        why = "cloud-init does not know what the file is, and ignores it"
        yield Finding(top, "error", what, why, f"write {HEADER} on the first line")
