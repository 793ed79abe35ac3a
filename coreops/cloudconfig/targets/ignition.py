"""The config that Ignition reads in the initramfs of Flatcar's first boot: JSON of spec 3.3.0 or 3.4.0."""

from __future__ import annotations

import base64
import gzip
import json
from functools import cache
from typing import Any
from urllib.parse import quote

from coreops.cloudconfig.loss import Rendered
from coreops.cloudconfig.model.node import Node
from coreops.cloudconfig.targets import specs
from coreops.cloudconfig.targets.flatcar import File, lower, sections

# What a data: URL may hold as it is (RFC 2397, 2396), so that configs can be read by eye.
_AS_IT_IS = "/:=,@;+$&!*'()~"
_LARGE = 2048
"""Bytes from which on fewer are worth more than text that can be read by eye."""
_NAMES = {"size_mib": "sizeMiB", "start_mib": "startMiB"}


def render(node: Node, spec: str | None = None) -> Rendered:
    """Return the config and what it does not say. Raises InputError for keys that fight, and for an unknown spec."""
    chosen = specs.find(spec)
    lowered = lower(node, chosen)
    found = {"ignition": {"version": chosen.version}} | _camel(sections(lowered, _contents, int))
    return Rendered((json.dumps(found, indent=2, ensure_ascii=False) + "\n").encode(), lowered.losses)


def _contents(file: File) -> dict[str, Any]:
    plain = data_url(file.data)
    if file.gzip:
        return {"compression": "gzip", "source": plain}
    # No platform unpacks the config itself. No time in the header: the same content is the same bytes.
    if len(plain) >= _LARGE and len(small := data_url(gzip.compress(file.data, mtime=0))) < len(plain):
        return {"compression": "gzip", "source": small}
    return {"source": plain}


def data_url(data: bytes) -> str:
    """The data as a URL: text that can be read, or base64 where that is shorter."""
    text = f"data:,{quote(data, safe=_AS_IT_IS)}"
    coded = f"data:;base64,{base64.b64encode(data).decode()}"
    return text if len(text) <= len(coded) else coded


def _camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {_name(key): _camel(each) for key, each in value.items()}
    return [_camel(each) for each in value] if isinstance(value, list) else value


@cache
def _name(key: str) -> str:
    first, *rest = key.split("_")
    return _NAMES.get(key) or first + "".join(word.capitalize() for word in rest)
