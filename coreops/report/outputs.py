"""What commands printed, as the result of a run: each line after its host's name. For ``coreops exec``.

stdout of the nodes goes to stdout, their stderr to stderr, so that a pipe gets what it expects.
"""

from __future__ import annotations

from collections.abc import Callable

from coreops import events as ev
from coreops.report.style import Style
from coreops.report.tally import public
from coreops.report.text import clean


class Outputs:
    """Writes the output of every finished task."""

    def __init__(self, out: Callable[[str], None], err: Callable[[str], None], style: Style) -> None:
        self._write = {"stdout": out, "stderr": err}
        self._style = style
        self._width = 0

    def __call__(self, event: ev.Event) -> None:
        if isinstance(event, ev.RunStarted):
            self._width = min(max((len(clean(host)) for host in event.hosts), default=0), 30)
        if not isinstance(event, ev.TaskFinished):
            return
        result = public(event.result)
        for stream, write in self._write.items():
            text = clean(result.data.get(stream) or "").rstrip("\n")
            prefix = self._style.state("failed" if result.failed else "ok", f"{clean(event.host):<{self._width}} | ")
            for line in text.split("\n") if text else ():
                write(prefix + line)

    def close(self) -> None:
        """Nothing is held."""
