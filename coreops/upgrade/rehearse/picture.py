"""A rehearsal as plain text: a histogram of durations, how nodes ended, what to look at. Draws; computes nothing."""

from __future__ import annotations

from coreops.errors import counted
from coreops.upgrade.rehearse.rehearsal import QUANTILES, Rehearsal, quantile

_BLOCKS = " ▏▎▍▌▋▊▉█"
_ROWS = 10


def picture(rehearsal: Rehearsal, width: int = 80) -> str:
    """As many columns as ``width``, at least 40."""
    width = max(40, width)
    took = rehearsal.durations()
    runs = len(rehearsal.played)
    lines = [f"{counted(runs, 'rollout')} of {counted(rehearsal.nodes, 'node')}, played under seeded faults", ""]
    if took:
        lines += ["How long it took, when every node got the release:", *_histogram(took, width), ""]
        lines += ["  " + ", ".join(f"{name} {clock(quantile(took, part))}" for name, part in QUANTILES.items()), ""]
    lines += ["How nodes ended:", *_bars(rehearsal.outcomes, width), ""]
    lines.append(f"Every node got the release      {_share(rehearsal.complete, runs)}")
    lines.append(f"The failure budget stopped it   {_share(rehearsal.budget_stopped, runs)}")
    lines.append(
        f"Down at the same time, at worst {rehearsal.worst_unavailable} (allowed: {rehearsal.max_unavailable})"
    )
    worst = rehearsal.worst
    lines.append(f"Worst seed                      {worst.seed} ({', '.join(worst.faults) or 'no fault'})")
    lines += [f"BROKEN in seed {one.seed}: {one.broken}" for one in rehearsal.broken]
    return "\n".join(lines) + "\n"


def clock(seconds: float) -> str:
    """``95.0`` is ``1:35``, ``3700`` is ``1:01:40``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _histogram(took: list[float], width: int) -> list[str]:
    """Rows of equal length in time, up to the 98th percentile; the last one takes what is above."""
    low, high = took[0], max(quantile(took, 0.98), took[0] + 1.0)
    step = (high - low) / _ROWS
    counts = [0] * _ROWS
    for seconds in took:
        counts[min(_ROWS - 1, int((seconds - low) / step))] += 1
    labels = [f"{clock(low + n * step)}{'+' if n == _ROWS - 1 else ''}" for n in range(_ROWS)]
    return _rows(
        dict(zip(labels, counts, strict=True)) if len(set(labels)) == _ROWS else {labels[0]: sum(counts)}, width
    )


def _bars(counts: dict[str, int], width: int) -> list[str]:
    return _rows(counts, width)


def _rows(counts: dict[str, int], width: int) -> list[str]:
    if not counts:
        return ["  (nothing)"]
    label = max(map(len, counts))
    number = len(str(max(counts.values())))
    room = width - label - number - 6
    most = max(counts.values()) or 1
    return [
        f"  {name:>{label}}  {bar(count / most, room):<{room}} {count:>{number}}".rstrip()
        for name, count in counts.items()
    ]


def bar(part: float, width: int) -> str:
    """A bar of at most ``width`` columns, exact to an eighth; what is not nothing is never invisible."""
    eighths = round(part * width * 8)
    if part > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_BLOCKS[rest] if rest else "")


def _share(count: int, of: int) -> str:
    return f"{count} of {of} ({100 * count / of:.1f} %)" if of else "0"
