"""What Prometheus's answer to a query means for a gate. Pure; whatever is not clearly good is bad."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from coreops.upgrade.gates.spec import Sample

_SHOWN = 3


def judge(text: str, expect: str) -> Sample:
    """Read the answer of ``/api/v1/query``."""
    try:
        series = _series(json.loads(text))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        return Sample("bad", f"Prometheus gave no usable answer: {error}")
    if expect == "nonzero":
        if not series:
            return Sample("bad", "the query answered nothing, and something was expected")
        wrong = {name: value for name, value in series if value == 0 or math.isnan(value)}
        return Sample("bad", f"zero: {_list(wrong)}") if wrong else Sample()
    firing = {name: value for name, value in series if name or value != 0}
    return Sample("bad", f"firing: {_list(firing)}") if firing else Sample()


def _series(answer: Any) -> list[tuple[str, float]]:
    """Every value with its labels; a scalar has none. Raises ValueError, KeyError, TypeError, IndexError."""
    if not isinstance(answer, dict):
        raise ValueError("it is not what the query API gives")
    if answer.get("status") != "success":
        raise ValueError(str(answer.get("error") or "it does not say success")[:200])
    if answer.get("warnings"):
        raise ValueError(f"it warns that the answer may be partial: {answer['warnings'][0]}"[:200])
    kind, result = answer["data"]["resultType"], answer["data"]["result"]
    if kind == "scalar":
        return [("", float(result[1]))]
    if kind != "vector":
        raise ValueError(f"the query gives a {kind}; an instant vector or a scalar is needed")
    return [(_labels(each["metric"]), float(each["value"][1])) for each in result]


def _labels(metric: Mapping[str, str]) -> str:
    labels = ",".join(f'{key}="{value}"' for key, value in sorted(metric.items()) if key != "__name__")
    return f"{metric.get('__name__', '')}{{{labels}}}"


def _list(series: Mapping[str, float]) -> str:
    shown = [f"{name} {value:g}".strip() for name, value in series.items()]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return "; ".join(shown[:_SHOWN]) + more
