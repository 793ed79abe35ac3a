"""The model has every key that coreos-cloudinit reads."""

from __future__ import annotations

from collections.abc import Iterator

from coreops.cloudconfig.model.reading import _keys
from coreops.cloudconfig.validate.keys import CLOUD_CONFIG, Key

Path = tuple[str, ...]


def read(key: Key, path: Path = ()) -> Iterator[Path]:
    for name, below in key.keys.items():
        yield (*path, name)
        yield from read(below.item or below, (*path, name))


def modelled(path: Path = ()) -> Iterator[Path]:
    for name in _keys(path):
        yield (*path, name)
        yield from modelled((*path, name))


def test_no_key_is_missing() -> None:
    missing = set(read(CLOUD_CONFIG)) - set(modelled())
    # etcd 0.4 took etcd 2's options and did nothing with them.
    assert {path[:2] for path in missing} <= {("coreos", "etcd")}
    assert {path[2] for path in missing} <= {
        path[2] for path in modelled() if path[:2] == ("coreos", "etcd2") and path[2:]
    }
