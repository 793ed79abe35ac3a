"""The store's JSON gateway in talks: read a range, write a transaction. Every host has the certificate."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from coreops.errors import HostFailed
from coreops.model import ShellStep
from coreops.schedulers.body import travel
from coreops.schedulers.protocol import Elsewhere, Pause, Talk, ask
from coreops.schedulers.units.layout import PLAN, ROOT, Pair, State, read
from coreops.schedulers.units.planning import Write

PKI = "/etc/coreops/units/pki"
_MOST_OPERATIONS = 100  # etcd takes 128 in a transaction
_MOST_BYTES = 50_000  # and 1.5 MiB in a request; this much fits into a variable
_PAGE = 250
_SMALL_PAGE = 8  # of the largest units, that is still less than a step may say
_SILENT = 75
FOLDERS = ("closed", "held", "machine", "on", "said", "unit")


class _TooLongError(Exception):
    """An answer was cut off."""


class Gateway:
    """urls: of the members. pki: the folder with the certificate on the host that is asked."""

    def __init__(self, urls: Sequence[str], pki: str = PKI) -> None:
        self._urls = tuple(urls)
        self._pki = pki

    def state(self, folders: Sequence[str] = FOLDERS) -> Talk[State]:
        """All there is, as of one revision; what does not fit into one answer is read on, and is no older."""
        for page in (_PAGE, _SMALL_PAGE):
            try:
                return (yield from self._read(folders, page))
            except _TooLongError:
                continue
        raise HostFailed("could not read the store", why="its answers are longer than a step may say")

    def _read(self, folders: Sequence[str], page: int) -> Talk[State]:
        questions = [{"key": _b64(PLAN)}, *(_question(folder, f"{ROOT}{folder}/", page) for folder in folders)]
        body = {"success": [{"requestRange": question} for question in questions]}
        answer = yield from self._call("kv/txn", body, "read the store")
        pairs: list[Pair] = []
        for folder, response in zip(("plan", *folders), answer["responses"], strict=True):
            found = response["response_range"]
            pairs += _pairs(found, folder)
            while found.get("more"):
                found = yield from self._call(
                    "kv/range", _question(folder, pairs[-1].key + "\0", page), "read the store"
                )
                pairs += _pairs(found, folder)
        return read(pairs)

    def write(self, state: State, groups: Sequence[Sequence[Write]], by: str = "") -> Talk[bool]:
        """Write for the plan that was seen; False: another controller was faster, look again.

        A group goes in whole; several groups may need several transactions, each for the plan of the one before.
        """
        revision = state.plan
        for batch in _batches(groups):
            compare = {"target": "MOD", "key": _b64(PLAN), "modRevision": str(revision)}
            body = {
                "compare": [compare],
                "success": [{"requestPut": {"key": _b64(PLAN), "value": _b64(by or "-")}}, *map(_operation, batch)],
            }
            answer = yield from self._call("kv/txn", body, "write to the store")
            if not answer.get("succeeded"):
                return False
            revision = int(answer["header"]["revision"])
        return True

    def asking(self, folder: str) -> ShellStep:
        """The step that asks for the names in a folder, to be part of another one."""
        question = {**_question(folder, f"{ROOT}{folder}/", 0), "keys_only": True}
        return self._step("kv/range", question, "read the store")

    @staticmethod
    def known(answer: str) -> tuple[str, ...]:
        """The names in its answer; () when there was none."""
        try:
            found = json.loads(answer)
        except ValueError:
            return ()
        return tuple(_text(pair["key"]).rpartition("/")[2] for pair in found.get("kvs", ()))

    def _step(self, path: str, body: Mapping[str, Any], title: str) -> ShellStep:
        text, blobs = travel(json.dumps(body))
        return ShellStep(
            id="store",
            title=title,
            act=_script(),
            blobs=blobs,
            env={"URLS": " ".join(self._urls), "CALL": path, "PKI": self._pki, "BODY": text},
            changes=False,
            timeout=60.0,
        )

    def _call(self, path: str, body: Mapping[str, Any], title: str) -> Talk[dict[str, Any]]:
        record = yield from ask(self._step(path, body, title))
        if record.truncated:
            raise _TooLongError
        if record.state in ("failed", "unknown"):
            said = record.stderr.decode("utf-8", errors="replace").strip()
            if record.rc == _SILENT and "etcdserver: " in said and "no leader" not in said and "timed out" not in said:
                raise HostFailed(f"could not {title}", why=said)
            raise Elsewhere(
                f"could not {title}",
                why=said or f"exit {record.rc}",
                next="look at the members: coreops bootstrap --check",
            )
        try:
            found = json.loads(record.stdout)
        except ValueError as error:
            raise HostFailed(f"could not {title}", why=f"not etcd's answer: {record.stdout[:80]!r}") from error
        if not isinstance(found, dict):
            raise HostFailed(f"could not {title}", why=f"not etcd's answer: {record.stdout[:80]!r}")
        return found


def again(what: str) -> Pause:
    """Before looking again, after another controller was faster."""
    return Pause((f"another controller writes too ({what})",), 0.2)


def _batches(groups: Sequence[Sequence[Write]]) -> list[list[Write]]:
    found: list[list[Write]] = [[]]
    size = 0
    for group in groups:
        weight = sum(len((write.value or "").encode()) + len(write.key) for write in group)
        if found[-1] and (len(found[-1]) + len(group) > _MOST_OPERATIONS or size + weight > _MOST_BYTES):
            found.append([])
            size = 0
        found[-1] += group
        size += weight
    return found if found[0] else []


def _question(folder: str, start: str, page: int) -> dict[str, Any]:
    """A page of a folder. Of what hosts are given only the keys: the values repeat the unit files."""
    body: dict[str, Any] = {"key": _b64(start), "range_end": _b64(f"{ROOT}{folder}0"), "limit": str(page)}
    return body | {"keys_only": True} if folder == "on" else body  # "0" follows "/"


def _pairs(answer: Mapping[str, Any], folder: str) -> list[Pair]:
    return [
        Pair(_text(pair["key"]), None if folder == "on" else _text(pair.get("value", "")), int(pair["mod_revision"]))
        for pair in answer.get("kvs", ())
    ]


def _operation(write: Write) -> dict[str, Any]:
    if write.value is None:
        return {"requestDeleteRange": {"key": _b64(write.key)}}
    return {"requestPut": {"key": _b64(write.key), "value": _b64(write.value)}}


@cache
def _script() -> str:
    return Path(__file__).with_name("gateway.sh").read_text(encoding="utf-8")


def _b64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode("utf-8", "replace")
