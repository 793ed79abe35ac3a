"""A JUnit XML file of a run: a test suite for each host, a test case for each task. Written when the run is over."""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement

from coreops import events as ev
from coreops.report.tally import outcome, public
from coreops.report.text import clean

# What clean() leaves but XML 1.0 does not allow.
_NOT_XML = re.compile("[\ufffe\uffff]")


def _text(value: object) -> str:
    return _NOT_XML.sub("\ufffd", clean(value))


class JUnit:
    """Collects test cases; ``close`` writes the file in one piece."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._suites: dict[str, Element] = {}
        self._play = ""

    def __call__(self, event: ev.Event) -> None:
        match event:
            case ev.RunStarted(hosts=hosts):
                for host in hosts:
                    self._suite(host)
            case ev.PlayStarted(play=play):
                self._play = play
            case ev.HostUnreachable(host=host, kind=kind, message=message, why=why):
                case = self._case(host, "connect", 0.0)
                SubElement(case, "error", type=_text(kind), message=_text(message)).text = _text(why)
            case ev.TaskFinished():
                self._task(event)
            case ev.HostFinished(host=host, state="interrupted" | "failed" as state, error=error, failed=0):
                case = self._case(host, "finish", 0.0)
                SubElement(case, "error", type=state, message=_text(error or state))

    def close(self) -> None:
        """Write the file beside its final place and move it there."""
        root = Element("testsuites", name="coreops")
        for suite in self._suites.values():
            cases = suite.findall("testcase")
            suite.set("tests", str(len(cases)))
            for tag, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
                suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
            suite.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")
            root.append(suite)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)
        temporary.replace(self._path)

    def _suite(self, host: str) -> Element:
        return self._suites.setdefault(host, Element("testsuite", name=_text(host)))

    def _case(self, host: str, name: str, seconds: float) -> Element:
        return SubElement(
            self._suite(host), "testcase", classname=_text(self._play or "coreops"), name=name, time=f"{seconds:.3f}"
        )

    def _task(self, event: ev.TaskFinished) -> None:
        result, kind = public(event.result), outcome(event)
        item = f" ({event.item})" if event.item else ""
        case = self._case(event.host, _text(event.name + item), event.seconds)
        if kind == "failed":
            SubElement(case, "failure", message=_text(result.message or "failed")).text = _text(result.message)
        elif kind == "skipped":
            SubElement(case, "skipped", message=_text(result.message))
        for stream, tag in (("stdout", "system-out"), ("stderr", "system-err")):
            if result.data.get(stream):
                SubElement(case, tag).text = _text(result.data[stream])
