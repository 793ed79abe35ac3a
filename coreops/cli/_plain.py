"""Converts the usual values of options without pydantic, whose import takes as long as all else that ``exec`` does.

typer has pydantic look at every value, also at defaults. Here a value that is plainly right is taken as it is; every
other one goes typer's way, so that what is accepted and how a mistake is told stay typer's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from coreops.frozen import frozen

_NOT_PLAIN: Any = object()


def convert_plainly(command: Any) -> None:
    """Let the parameters of a command of typer, also its --help, convert plain values before they ask pydantic."""
    list_params = command.get_params

    def get_params(context: Any) -> Any:
        params = list_params(context)
        for param in params:
            # On the instance: the class keeps typer's own way, for what is not plain.
            param.get_runtime_param = _Conversion(param).itself
        return params

    command.get_params = get_params


@frozen
class _Conversion:
    """Stands where typer keeps how a parameter is converted."""

    param: Any

    def itself(self) -> _Conversion:
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the converted value; raise typer's BadParameter."""
        converted = self._plain(value)
        if converted is _NOT_PLAIN:
            return type(param).get_runtime_param(param).coerce(value, param=param, ctx=ctx)
        return converted

    def _plain(self, value: Any) -> Any:
        wanted = self.param.type_descriptor
        several = self.param.multiple or self.param.nargs == -1
        if value is None:
            return () if several else None
        if not several:
            return _convert(value, wanted.annotation, wanted.parameter_info)
        if not wanted.is_list or not isinstance(value, (list, tuple)):
            return _NOT_PLAIN
        (kind,) = wanted.annotation.__args__
        parts = [_convert(part, kind, wanted.parameter_info) for part in value]
        return _NOT_PLAIN if _NOT_PLAIN in parts else parts


def _convert(value: Any, kind: Any, info: Any) -> Any:
    """The value as ``kind``, or _NOT_PLAIN."""
    if info.parser is None:
        if kind is str and type(value) is str:
            return value
        if kind is Path and type(value) is str and _is_plain_path(value, info):
            return Path(value)
        if kind in (int, float) and type(value) in (int, str):
            return _number(value, kind, info)
    return _NOT_PLAIN


def _number(value: int | str, kind: type[int] | type[float], info: Any) -> Any:
    if type(value) is str and not (len(value) < 10 and value.isascii() and value.isdecimal()):
        return _NOT_PLAIN
    number = kind(value)
    within = (info.min is None or number >= info.min) and (info.max is None or number <= info.max)
    return number if within else _NOT_PLAIN


def _is_plain_path(path: str, info: Any) -> bool:
    asks = info.exists or info.writable or info.resolve_path or info.allow_dash or info.path_type
    if asks or not (info.file_okay and info.dir_okay and info.readable):
        return False
    return not os.path.exists(path) or os.access(path, os.R_OK)
