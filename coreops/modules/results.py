"""Records -> TaskResult, in Ansible's keys. Pure. Any bytes that a node said become text that survives JSON."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from coreops.model import Blob, FileStep, Record, TaskResult

# As the loader notes a file: its kind and mode, then a(mode) s(ize) u(id) U(ser) g(id) G(roup).
_FOUND = re.compile(r"^[0-9a-f]+:a(\d+):s(\d+):u(\d+):U(.*):g(\d+):G(.*)$")
_DIFF_LIMIT = 200_000
_MESSAGE_LIMIT = 2_000


def text(data: bytes) -> str:
    """Decode; bytes that are no UTF-8 show as \\xff."""
    return data.decode("utf-8", errors="backslashreplace")


def outcome(
    records: Sequence[Record], data: Mapping[str, Any] | None = None, *, message: str = "", diff: str = ""
) -> TaskResult:
    """The result of steps whose output is of no interest: failed when one failed, changed when one changed."""
    data = dict(data or {})
    if bad := failure(records):
        return TaskResult(failed=True, message=bad, data={**data, "msg": bad, "rc": records[-1].rc}, diff=diff)
    changed = is_changed(records)
    skipped = not changed and any(record.state == "skipped" for record in records)
    if skipped:
        message = message or "not run in check mode: only running it would tell"
    if message:
        data["msg"] = message
    return TaskResult(changed=changed, skipped=skipped, message=message, data=data, diff=diff)


def is_changed(records: Sequence[Record]) -> bool:
    """Did, or would, a step act?"""
    return any(record.state in ("changed", "would") for record in records)


def failure(records: Sequence[Record]) -> str | None:
    """Why the task failed, or None."""
    for record in records:
        if record.state == "unknown":
            return "it was cut off while it ran, and nobody knows how far it came; look, then run it again"
        if record.state == "failed":
            return reason(record)
    return None


def reason(record: Record) -> str:
    """The node's own words for a failure, with advice where there is some."""
    said = text(record.stderr).strip() or text(record.stdout).strip() or f"exit status {record.rc}"
    said = said if len(said) <= _MESSAGE_LIMIT else "..." + said[-_MESSAGE_LIMIT:]
    if record.rc in (124, 137) and not record.stderr.strip():
        said = f"did not end within its time ({record.seconds:.0f} s); {said}"
    if "Read-only file system" in said:
        said += "\nnext: this path is read-only on the node (/usr is); use /etc, /opt or a sysext"
    elif "No space left on device" in said:
        said += "\nnext: free space on the node"
    return said


def output(record: Record, *, strip: bool = True) -> dict[str, Any]:
    """rc, stdout, stdout_lines, stderr, stderr_lines and delta of a program that ran."""
    out, err = text(record.stdout), text(record.stderr)
    if strip:
        out, err = out.rstrip("\r\n"), err.rstrip("\r\n")
    data: dict[str, Any] = {
        "rc": record.rc,
        "stdout": out,
        "stdout_lines": out.splitlines(),
        "stderr": err,
        "stderr_lines": err.splitlines(),
        "delta": str(timedelta(seconds=round(record.seconds, 6))),
    }
    if record.truncated:
        data["truncated_bytes"] = record.truncated
    return data


def backup_file(records: Sequence[Record]) -> dict[str, str]:
    """The backup that an act of ``sh.placing`` says it made."""
    for record in records:
        for line in text(record.stdout).splitlines():
            if line.startswith("backup "):
                return {"backup_file": line.removeprefix("backup ")}
    return {}


def file_diff(step: FileStep, record: Record) -> str:
    """What a FileStep changes, as a unified diff of content and a line for each attribute."""
    if record.state not in ("changed", "would"):
        return ""
    head, _, old = record.before.partition(b"\n")
    there = _FOUND.sub(r"\1 \2 \3 \4 \5 \6", text(head)).split(" ")
    absent = there == ["-"] or not head
    lines = [] if absent else _attribute_lines(step, there)
    if step.kind == "absent":
        lines = ["the path is removed"]
    elif absent:
        lines = [f"new {step.kind}"]
    if step.kind == "link":
        lines.append(f"link to {step.target}")
    if step.content is not None and not step.secret:
        content = _content_diff(step.path, old, step.content, absent=absent)
        return "".join(f"# {step.path}: {line}\n" for line in lines) + content
    return "".join(f"# {step.path}: {line}\n" for line in lines)


def _attribute_lines(step: FileStep, there: list[str]) -> list[str]:
    if len(there) < 6:
        return []
    mode, _, uid, user, gid, group = there[:6]
    lines = []
    if step.mode is not None and mode.isdigit() and int(mode, 8) != step.mode:
        lines.append(f"mode {int(mode, 8):04o} -> {step.mode:04o}")
    if step.owner is not None and step.owner not in (uid, user):
        lines.append(f"owner {user} -> {step.owner}")
    if step.group is not None and step.group not in (gid, group):
        lines.append(f"group {group} -> {step.group}")
    return lines


def _content_diff(path: str, old: bytes, blob: Blob, *, absent: bool) -> str:
    if blob.size > _DIFF_LIMIT or blob.data is None:
        return f"# {path}: new content, {blob.size} bytes\n"
    if not absent and not old:
        return ""
    return unified(path, old, blob.data)


def unified(path: str, old: bytes, new: bytes) -> str:
    """A unified diff; binary content is only named."""
    if old == new:
        return ""
    if b"\0" in old or b"\0" in new:
        return f"# {path}: binary content differs\n"
    before, after = text(old).splitlines(keepends=True), text(new).splitlines(keepends=True)
    lines = difflib.unified_diff(before, after, f"{path} (before)", f"{path} (after)")
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)
