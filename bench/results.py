"""Rows of numbers -> a table in Markdown and a plot. Measures nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tools

NUMBERS: Mapping[str, tuple[str, str]] = {
    "wall": ("wall s", "{:.2f}"),
    "times": ("x coreops", "{:.2f}"),
    "cpu": ("CPU s", "{:.2f}"),
    "memory": ("MiB", "{:.0f}"),
    "cpu_ms_per_host": ("CPU ms a host", "{:.1f}"),
    "rate": ("MiB/s", "{:.0f}"),
    "of_ssh": ("x ssh", "{:.2f}"),
    "of_docker": ("x docker", "{:.2f}"),
    "of_alone": ("x alone x 3/CPUs", "{:.2f}"),
    "round_trips": ("round trips", "{}"),
    "bytes_up": ("bytes up", "{}"),
    "bytes_down": ("bytes down", "{}"),
    "calls": ("API calls", "{}"),
    "refused": ("refused", "{}"),
    "rounds": ("rounds", "{}"),
    "measured": ("measured", "{}"),
}


def merge(path: Path, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """New rows in the place of those of the same comparison in the results file; what was not measured again stays."""
    old = json.loads(path.read_text())["rows"] if path.exists() else []
    new = {row["comparison"] for row in rows}
    merged: dict[str, list[Mapping[str, Any]]] = {}
    for row in old:
        merged.setdefault(row["comparison"], []).extend([] if row["comparison"] in new else [row])
    for row in rows:
        merged.setdefault(row["comparison"], []).append(row)
    return [row for found in merged.values() for row in found]


def table(about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """One table per kind of number; the rows of the plot are left out."""
    named = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    out = [f"On {about['machine']}: {named}.\n"]
    shown = [row for row in rows if row["comparison"] != "growth"]
    before: list[str] = []
    for row in shown:
        columns = [key for key in NUMBERS if key in row]
        if columns != before:
            before = columns
            head = ["comparison", "tool", *(NUMBERS[key][0] for key in columns)]
            out += ["", f"| {' | '.join(head)} |", f"|{'---|' * 2}{'---:|' * len(columns)}"]
        cells = [row["comparison"], row["tool"], *(NUMBERS[key][1].format(row[key]) for key in columns)]
        out.append(f"| {' | '.join(cells)} |")
    return "\n".join(out) + "\n"


def plot(path: Path, picture: Path) -> None:
    """Draw the growth rows of a results file with matplotlib, which lives in an environment of its own."""
    python = tools.environment("plot", "matplotlib") / "python"
    subprocess.run([str(python), str(tools.HERE / "plot.py"), str(path), str(picture)], check=True)
