"""The documents of etcd's v2 keys API, as far as its discovery client reads them. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

from coreops.discovery.registry import EXISTS, INVALID, NO_MORE, NOT_FOUND, Member, Token
from coreops.serving.service import Response

_ROOT: Final = "/_etcd/registry"
_SAID: Final = {
    NOT_FOUND: (404, "Key not found"),
    NO_MORE: (403, "Reached the max number of peers in the cluster"),
    EXISTS: (412, "Key already exists"),
    203: (400, "The given index in POST form is not a number"),
    INVALID: (400, "Invalid field"),
    210: (400, "Invalid POST form"),
}


def members(token: Token, seen: tuple[Member, ...], index: int) -> Response:
    """``GET /TOKEN``."""
    node: dict[str, Any] = {"key": _key(token.token), "dir": True}
    if seen:
        node["nodes"] = [_node(token, each) for each in seen]
    return _answer("get", node | {"modifiedIndex": token.index, "createdIndex": token.index}, index)


def size(token: Token, index: int) -> Response:
    """``GET /TOKEN/_config/size``."""
    key = _key(token.token, "_config", "size")
    node = {"key": key, "value": str(token.size), "modifiedIndex": token.index, "createdIndex": token.index}
    return _answer("get", node, index)


def member(token: Token, one: Member, index: int, action: str = "get", status: int = 200) -> Response:
    """``GET`` or ``PUT /TOKEN/ID``, and what a wait ends with."""
    return _answer(action, _node(token, one), index, status)


def nothing(index: int) -> Response:
    """The end of a wait in which nothing happened: etcd's client then asks again."""
    return Response(200, b"", "application/json", _headers(index))


def error(code: int, cause: str, index: int) -> Response:
    """An error in etcd's form."""
    status, message = _SAID[code]
    document = {"errorCode": code, "message": message, "cause": cause, "index": index}
    return Response(status, _json(document), "application/json", _headers(index))


def text(status: int, said: str) -> Response:
    """A word for people."""
    return Response(status, said.encode(), headers=(("Cache-Control", "no-store"),))


def taken(token: str, member: str, index: int) -> Response:
    """The member has registered; etcd's client takes it for its own id, twice."""
    return error(EXISTS, _key(token, member), index)


def unknown(token: str, member: str, index: int) -> Response:
    """There is no such token, or no such member."""
    return error(NOT_FOUND, _key(token, member) if member else _key(token), index)


def _answer(action: str, node: dict[str, Any], index: int, status: int = 200) -> Response:
    return Response(status, _json({"action": action, "node": node}), "application/json", _headers(index))


def _node(token: Token, one: Member) -> dict[str, Any]:
    key = _key(token.token, one.id)
    return {"key": key, "value": one.value, "modifiedIndex": one.index, "createdIndex": one.index}


def _key(*words: str) -> str:
    return "/".join((_ROOT, *words))


def _headers(index: int) -> tuple[tuple[str, str], ...]:
    return (("X-Etcd-Index", str(index)), ("Cache-Control", "no-store"))


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"
