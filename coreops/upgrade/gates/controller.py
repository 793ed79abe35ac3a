"""The gates that the controller asks itself: HTTP and Prometheus. The only file of gates that opens connections.

Fails closed: no answer, a slow one, one that is too large, all are "bad" with the reason.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from coreops.upgrade.authorities import authorities
from coreops.upgrade.gates import prometheus
from coreops.upgrade.gates.spec import Gate, HttpGate, PrometheusGate, Sample, shown_url

_LARGEST = 4 << 20


def ask(gate: Gate) -> Sample:
    """One sample; takes ``gate.timeout`` seconds at most, give or take one read."""
    match gate:
        case HttpGate():
            found = _fetch(gate.url, gate.timeout)
            if isinstance(found, str):
                return Sample("bad", found)
            return judge_http(gate, *found)
        case PrometheusGate():
            found = _fetch(gate.url.rstrip("/") + "/api/v1/query", gate.timeout, {"query": gate.query})
            if isinstance(found, str):
                return Sample("bad", found)
            return prometheus.judge(found[1].decode("utf-8", errors="replace"), gate.expect)
    raise ValueError(f"{gate.name}: not a gate of the controller")


def judge_http(gate: HttpGate, status: int, body: bytes) -> Sample:
    """Is this the answer the gate wants?"""
    if status not in gate.status:
        wanted = " or ".join(str(each) for each in gate.status)
        return Sample("bad", f"{shown_url(gate.url)} answered {status}, wanted {wanted}")
    if gate.contains.encode() not in body:
        return Sample("bad", f"{shown_url(gate.url)} answered {status} without {gate.contains!r}")
    return Sample()


def _fetch(url: str, timeout: float, params: Mapping[str, str] | None = None) -> tuple[int, bytes] | str:
    """Status and body, or why there is none."""
    import httpx

    end = time.monotonic() + timeout
    shown = shown_url(url)
    try:
        with (
            httpx.Client(verify=authorities(), timeout=timeout) as client,
            client.stream("GET", url, params=params) as response,
        ):
            body = b""
            for part in response.iter_bytes():
                body += part
                if len(body) > _LARGEST:
                    return f"{shown}: the answer is larger than {_LARGEST} bytes"
                if time.monotonic() > end:
                    return f"{shown}: no whole answer within {timeout:g} s"
            return response.status_code, body
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{shown}: {str(error) or type(error).__name__}"
