"""A script does the same to the same state. Tests bring hosts to the same states again and again, each time with dozens
of programs: here each process runs a script on a state once, and then remembers what it said and what it changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable
from pathlib import Path
from subprocess import CompletedProcess

from tests.schedulers.k3s.fake_kubernetes import Server

Done = CompletedProcess[bytes]
Entry = tuple[int, bytes]
Tree = dict[str, Entry]
_known: dict[Hashable, tuple[Done, Tree, list[str]]] = {}


def run_once(root: Path, server: Server, asked: Hashable, run: Callable[[], Done]) -> Done:
    """asked: all that the script depends on beside what is below root and what it reads from the server."""
    before = _tree(root)
    state = (asked, tuple(before.items()), _read(server))
    if state in _known:
        done, changed, gone = _known[state]
        _apply(root, changed, gone)
        return done
    done, after = run(), _tree(root)
    changed = {path: entry for path, entry in after.items() if before.get(path) != entry}
    # Paths differ from test to test.
    if not any(os.fsencode(root) in text for text in (done.stdout, done.stderr, *(new for _, new in changed.values()))):
        _known[state] = (done, changed, [path for path in before if path not in after])
    return done


def _tree(root: Path) -> Tree:
    """Parents first."""
    found: Tree = {}
    folders = [""]
    for folder in folders:
        with os.scandir(root / folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                path, mode = os.path.join(folder, entry.name), entry.stat(follow_symlinks=False).st_mode
                if entry.is_symlink():
                    found[path] = (mode, os.fsencode(os.readlink(entry.path)))
                elif entry.is_dir():
                    found[path] = (mode, b"")
                    folders.append(path)
                else:
                    found[path] = (mode, Path(entry.path).read_bytes())
    return found


def _apply(root: Path, changed: Tree, gone: list[str]) -> None:
    for path in reversed(gone):
        target = root / path
        if target.is_dir() and not target.is_symlink():
            target.rmdir()
        else:
            target.unlink()
    for path, (mode, content) in changed.items():
        target = root / path
        if target.is_symlink() or target.is_file():
            target.unlink()
        kind = mode & 0o170000
        if kind == 0o120000:
            target.symlink_to(os.fsdecode(content))
            continue
        if kind == 0o040000:
            if not target.is_dir():
                target.mkdir()
        else:
            target.write_bytes(content)
        target.chmod(mode & 0o7777)


def _read(server: Server) -> tuple[bool, str]:
    cluster = server.cluster
    with cluster.lock:
        cluster.tick()
        return server.down, json.dumps([list(cluster.nodes.values()), list(cluster.pods.values())])
