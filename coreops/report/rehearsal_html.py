"""A rehearsal as one HTML file: how long rollouts took as a curve of shares, and the words of the terminal's picture.
Self-contained, readable on a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from coreops.report.text import clean, seconds

_STYLE = """:root{color-scheme:light dark}body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:60rem;
padding:1rem}pre{overflow-x:auto;font-size:.8rem;line-height:1.3}svg{width:100%;height:12rem;background:#8882;
border-radius:.3rem}.axis{display:flex;justify-content:space-between;font-size:.8rem;opacity:.7}"""


def page(drawn: str, durations: Sequence[float], runs: int, nodes: int) -> str:
    """durations: of those in which every node got the release, sorted. drawn: the picture as text."""
    longest = max(durations, default=0.0)
    steps = "".join(
        f"L{1000 * took / max(longest, 0.001):.1f} {100 - 100 * (rank + 1) / max(runs, 1):.1f}"
        for rank, took in enumerate(durations)
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Rehearsal</title><style>{_STYLE}</style></head><body>
<h1>Rehearsal: {runs} rollouts of {nodes} nodes</h1>
<p>Share of all rollouts that had brought every node to the release, over time.</p>
<svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img">
<path d="M0 100{steps}" fill="none" stroke="#3fa37c" stroke-width="2" vector-effect="non-scaling-stroke"/></svg>
<div class="axis"><span>0 s</span><span>{seconds(longest)}</span></div>
<pre>{escape(clean(drawn))}</pre>
</body></html>
"""
