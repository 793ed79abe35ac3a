"""Renderers of a run: subscribers to ``coreops.events``. Know events and text; nothing of how a run is driven.

stdout is for results, stderr for progress. Nothing that a node said reaches a terminal uncleaned (``text.clean``).
``with choose(...) as emit:`` picks the renderers for this terminal and these flags.
"""

from __future__ import annotations

from coreops.report.choose import choose
from coreops.report.compose import Report, Subscriber, compose
from coreops.report.text import clean, name_list, one_line, seconds

__all__ = ["Report", "Subscriber", "choose", "clean", "compose", "name_list", "one_line", "seconds"]
