"""Hostile documents, one a seed, and what reads them: nothing but findings and InputError may come back.

Documents of the corpus, changed; and documents made of the tables of keys, with values that fit and that do not. Run by
``scripts/fuzz`` and, a few thousand of them, by a test.
"""

from __future__ import annotations

import argparse
import gzip
import json
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from coreops.cloudconfig.convert.convert import convert
from coreops.cloudconfig.marked import parse as parse_node
from coreops.cloudconfig.model import node_of
from coreops.cloudconfig.platforms.records import PLATFORMS
from coreops.cloudconfig.validate.check import judge
from coreops.cloudconfig.validate.cloud_init.keys import cloud_config
from coreops.cloudconfig.validate.ignition.keys import butane, butane_written, config
from coreops.cloudconfig.validate.keys import CLOUD_CONFIG, Key
from coreops.cloudconfig.validate.shapes import Shape
from coreops.cloudconfig.validate.target import NAMES
from coreops.errors import InputError
from tests.cloudconfig.validate.test_corpus import DOCUMENTS

SLOWEST = 5
"""Seconds that one document may take."""
BATCH = 250
_WORDS = (
    "off yes y 0644 644 0o644 0x1f 1_000 1e9 .inf ~ null 2001-01-01 12:30:45 -1 99999999999999999999 é 😀 \u2028 \x85 "
    "\ufeff &a *a <<: !x !!binary !!int !!set ? : - --- ... # #cloud-config ## %TAG @ ` ' \" \\ | > {{ }} {% %} ${ "
    "$private_ipv4 $public_ipv6x \\$private_ipv4 {PRIVATE_IPV4} CI_MISSING_JINJA_VAR/x data:, data:;base64, %zz "
    "coreos etcd2 units write_files users content contents path name enable enabled mode storage systemd ignition "
    'version variant 3.3.0 2.2.0 flatcar /usr/../usr/x [Install] [Unit \x00 \x07 \r\n \t {"a":1} [1,2 }'
)
WORDS = _WORDS.split(" ")
SCALARS: tuple[Any, ...] = (
    *WORDS, "", " ", "a b", "a\nb\n", "x" * 3000, "\ud83d", 0, 1, -1, 420, 644, 10**30, 1.5, True, False, None, [], {},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Crash:
    """A document that brought something down. how: the last lines of it."""

    seed: int
    data: bytes
    how: str


def document(seed: int) -> bytes:
    """The document of a seed."""
    random = Random(seed)
    data = made(random) if random.random() < 0.4 else random.choice(corpus())
    for _ in range(random.choice((0, 1, 1, 2, 3, 8))):
        data = changed(data, random)
    return gzip.compress(data, mtime=0) if random.random() < 0.02 else data


@cache
def corpus() -> tuple[bytes, ...]:
    """Documents to begin with; the few large ones would take all the time."""
    return tuple(data for path in DOCUMENTS if len(data := path.read_bytes()) < 20_000)


def changed(data: bytes, random: Random) -> bytes:
    """The document with one thing done to it."""
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + random.choice((0, 1, 2, 8, 40, 400)))
    lines = data.split(b"\n")
    number = random.randrange(len(lines))
    match random.randrange(9):
        case 0:
            return data[:start] + data[end:]
        case 1:
            return data[:start] + bytes([random.randrange(256)]) + data[start + 1 :]
        case 2:
            return data[:start] + random.choice(WORDS).encode("utf-8", "surrogatepass") + data[end:]
        case 3:
            return data[:end] + data[start:]
        case 4:
            other = random.choice(corpus())
            return data[:start] + other[random.randrange(len(other) + 1) :]
        case 5:
            return b"\n".join([*lines[:number], *lines[number + 1 :]])
        case 6:
            return b"\n".join([*lines[:number], b" " * random.randrange(1, 5) + lines[number], *lines[number:]])
        case 7:
            random.shuffle(lines)
            return b"\n".join(lines)
    name, colon, _ = lines[number].partition(b":")
    value = str(random.choice(SCALARS)).encode("utf-8", "surrogatepass")
    return b"\n".join([*lines[:number], name + colon + b" " + value, *lines[number + 1 :]])


def made(random: Random) -> bytes:
    """A document made of a target's table of keys."""
    match random.randrange(4):
        case 0:
            value, head = _of_key(CLOUD_CONFIG, random), "#cloud-config\n"
        case 1:
            value, head = _of_shape(cloud_config(), random), "#cloud-config\n"
        case 2:
            value, head = _of_shape(config(), random), ""
            if isinstance(value, dict):
                value["ignition"] = {"version": random.choice(("3.0.0", "3.3.0", "3.4.0", "2.1.0", "x"))}
        case _:
            value, head = _renamed(_of_shape(butane(), random)), "variant: flatcar\nversion: 1.0.0\n"
    flow = json.dumps(value, ensure_ascii=random.random() < 0.5)
    if head and random.random() < 0.7 and isinstance(value, dict):
        flow = "".join(f"{json.dumps(key)}: {json.dumps(each)}\n" for key, each in value.items())
    return (head + flow).encode("utf-8", "surrogatepass")


def _of_shape(shape: Shape, random: Random, depth: int = 0) -> Any:
    if not shape or depth > 8 or random.random() < 0.08:
        return random.choice(SCALARS)
    alt = random.choice(shape)
    if alt.kind == "list":
        return [_of_shape(alt.item, random, depth + 1) for _ in range(random.choice((0, 1, 1, 2, 3)))]
    if alt.kind == "mapping":
        names = random.sample(sorted(alt.fields), min(len(alt.fields), random.choice((1, 2, 3, 6))))
        names += [name for name, field in alt.fields.items() if field.needed and random.random() < 0.9]
        found = {name: _of_shape(alt.fields[name].shape, random, depth + 1) for name in names}
        if alt.others is not None or random.random() < 0.05:
            found[random.choice(WORDS)] = _of_shape(alt.others or (), random, depth + 1)
        return found
    if alt.words and random.random() < 0.8:
        return random.choice(alt.words)
    return {"int": random.choice((0, 1, 420, 644, 4096, -1)), "bool": True}.get(alt.kind, random.choice(SCALARS))


def _of_key(key: Key, random: Random) -> Any:
    if random.random() < 0.1:
        return random.choice(SCALARS)
    if key.item:
        return [_of_key(key.item, random) for _ in range(random.choice((0, 1, 2, 3)))]
    if key.keys:
        return {
            name: _of_key(key.keys[name], random) for name in random.sample(sorted(key.keys), min(len(key.keys), 4))
        }
    return random.choice(SCALARS)


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {butane_written(name): _renamed(each) for name, each in value.items()}
    return [_renamed(each) for each in value] if isinstance(value, list) else value


def attempt(seed: int) -> tuple[Crash | None, str]:
    """Have everything that reads documents read that of a seed; and what it was taken for."""
    data, random, kind = document(seed), Random(seed), ""
    platform = random.choice((None, *PLATFORMS.values()))
    try:
        with _limited(SLOWEST):
            verdict = judge(data, "f", platform)
            kind = verdict.kind or "unreadable"
            for finding in (*verdict.findings, *judge(data, "f", platform, random.choice(NAMES)).findings):
                assert finding.rule, finding
                assert finding.at.line >= 1, finding
                assert finding.at.column >= 1, finding
                str(finding).encode("utf-8", "surrogateescape")
            with suppress(InputError):
                convert(data, "f", random.choice(("ignition", "cloud-init", "butane")), platform=platform)
            with suppress(InputError):
                node_of(parse_node(data.decode("utf-8", "replace"), "f"), "n1")
    except Exception:
        return Crash(seed, data, "".join(traceback.format_exc(limit=-4))), kind
    return None, kind


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def batch(seeds: range) -> tuple[list[Crash], Counter[str]]:
    """Many seeds in one process."""
    done = [attempt(seed) for seed in seeds]
    return [crash for crash, _ in done if crash], Counter(kind for _, kind in done)


def main() -> int:
    """Run seeds in several processes; print every crash with its seed and its document."""
    options = argparse.ArgumentParser(prog="scripts/fuzz", description=(__doc__ or "").split("\n\n")[0])
    options.add_argument("--count", type=int, default=100_000, help="documents (100000)")
    options.add_argument("--seed", type=int, default=0, help="the first one (0)")
    options.add_argument("--jobs", type=int, default=2, help="processes (2)")
    options.add_argument("--show", action="store_true", help="only print the document of --seed")
    given = options.parse_args()
    if given.show:
        sys.stdout.buffer.write(document(given.seed))
        return 0
    last = given.seed + given.count
    batches = [range(first, min(first + BATCH, last)) for first in range(given.seed, last, BATCH)]
    crashes, kinds, began = 0, Counter[str](), time.monotonic()
    with ProcessPoolExecutor(given.jobs) as pool:
        for found, more in pool.map(batch, batches):
            kinds += more
            crashes += len(found)
            for crash in found:
                print(f"seed {crash.seed}: {crash.data[:2000]!r}\n{crash.how}", flush=True)
    took = time.monotonic() - began
    told = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    print(f"{given.count} documents in {took:.0f} s ({told}): {crashes or 'no'} crashes")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
