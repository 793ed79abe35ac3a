"""Draws what a play costs as hosts and operations grow: ``plot.py RESULTS.json PICTURE.svg``. Needs matplotlib."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "coreops"

from matplotlib import pyplot  # noqa: E402 - the backend is chosen first


def main(results: str, picture: str) -> None:
    rows = [row for row in json.loads(Path(results).read_text())["rows"] if row["comparison"] == "growth"]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, key, keep, title in (
        (left, "hosts", lambda row: row["operations"] == 25, "25 operations"),
        (right, "operations", lambda row: row["hosts"] == 10, "10 hosts"),
    ):
        for kind, colour in (("first run", "tab:orange"), ("no change", "tab:blue")):
            points = sorted((row[key], row["wall"]) for row in rows if keep(row) and row["kind"] == kind)
            axis.plot(*zip(*points, strict=True), marker="o", color=colour, label=kind)
        axis.set(xlabel=key, ylabel="seconds", title=title)
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
