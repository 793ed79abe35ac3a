"""Nodes made from the model itself: one for every key that there is, and random ones with hostile values.

A key that is added to the model is here by itself; only what its pattern does not say needs a line below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from coreops.cloudconfig.marked import parse
from coreops.cloudconfig.model import Node, node_of
from coreops.cloudconfig.model.base import Part

WORD = "tok7"
"""In every text of a sample: it is easy to find again."""
_TEXTS = (
    *(WORD, f"/etc/{WORD}", f"/dev/{WORD}", f"{WORD}.service", f"{WORD}.conf", f"$6$s${WORD}", f"{WORD}:{WORD}"),
    *("0711", "04:00", "1h", "192.0.2.7", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
)
_TOGETHER: dict[str, dict[str, Any]] = {
    "window_start": {"window_length": "2h"},
    "window_length": {"window_start": "05:00"},
    "mount_options": {"path": "/mnt"},
    "drop_ins": {"content": "[Service]\n"},
    "enable": {"content": "[Install]\nWantedBy=a.target\n"},
    "encoding": {"content": "AAAA"},
    "Unit.name": {"mask": True},
    "Disk.device": {"wipe_table": True},
    "Filesystem.device": {"path": "/mnt"},
}
"""Keys that need others beside them, or say nothing without."""
_BOTH = ("window_start", "window_length")
"""Keys that cannot be left out when the other is there."""
_HOSTILE = (
    *("off", "yes", "~", "null", "0644", "0x1f", "1e3", "1:30", ".inf", "2020-01-01", "=", "<<", "-", "- a", "a: b"),
    *("#", "{{ a }}", "{a}", "[a]", "*a", "&a", "!a", "%a", "@a", "`id`", "$(id)", "$HOME", "${A}", "%n", "%%", "'"),
    *('"', "\\", "--", "-rf", "a b", " a", "a ", "\ta", "é☃", "\U0001f600", "\u2028", "\x85", "\ufeff", "\x7f", "\x01"),
    *("..", "*", "a,b", "a;b", "data:,a", "%41", "a+b", "?", "|", ">"),
)
_MANY_LINES = (
    *("", "\n", "a\n\n", "\n a", "a\r\nb", "  a\n b\n", "a\n---\n...\nb", "\0", "|\n", "a\tb\n", "#cloud-config\n"),
)


@dataclass(frozen=True)
class Sample:
    """A node with one key set, and the same node without it. text: the key's value, where it is text."""

    key: str
    node: Node
    without: Node
    text: str | None


def samples() -> Iterator[Sample]:
    """A node for every key of the model; a file of networkd too where there is one for a unit of systemd."""
    for sample in _samples(Node, ()):
        yield sample
        # What is to be started is networkd, and that is always done.
        if sample.key.startswith("coreos.units.") and not sample.key.endswith(".command"):
            one, without = _of_networkd(sample.node), _of_networkd(sample.without)
            text = sample.text and sample.text.replace(".service", ".network")
            yield Sample(f"{sample.key} (networkd)", one, without, text)


def _of_networkd(one: Node) -> Node:
    text = one.model_dump_json(exclude_unset=True).replace(".service", ".network")
    return node_of(parse(text, "node.json"))


def _samples(model: type[Part], path: tuple[tuple[str, bool], ...]) -> Iterator[Sample]:
    """path: keys to the part, and whether each holds a list."""
    for name, field in model.model_fields.items():
        part = _part(field.annotation)
        if part is not None:
            yield from _samples(part, (*path, (name, _many(field.annotation))))
            continue
        value = _sample(model, name)
        base = (_TOGETHER.get(name) or _TOGETHER.get(f"{model.__name__}.{name}") or {}) | {
            other: _sample(model, other)
            for other, each in model.model_fields.items()
            if each.is_required() and _part(each.annotation) is None and other != name
        }
        key = ".".join([*(step for step, _ in path), name])
        without = {} if field.is_required() or name in _BOTH else _wrapped(base, path)
        text = value[0] if isinstance(value, tuple) else value
        plain = isinstance(text, str) and get_origin(_inner(field.annotation)) is not Literal and name != "permissions"
        node = _wrapped(base | {name: value}, path)
        yield Sample(key, Node.model_validate(node), Node.model_validate(without), text if plain else None)


def _wrapped(value: dict[str, Any], path: tuple[tuple[str, bool], ...]) -> dict[str, Any]:
    """The whole node around a part. Parts on the way get what they require."""
    models = [Node]
    for name, _ in path:
        models.append(_part(models[-1].model_fields[name].annotation))
    for (name, many), model in reversed(list(zip(path, models, strict=False))):
        needed = {
            other: _sample(model, other)
            for other, each in model.model_fields.items()
            if each.is_required() and other != name
        }
        value = needed | {name: (value,) if many else value}
    return value


@cache
def _sample(model: type[Part], name: str) -> Any:
    field = model.model_fields[name]
    kind = _inner(field.annotation)
    if name in ("environment", "etc_hosts"):
        return {"environment": {WORD: "x"}, "etc_hosts": {"192.0.2.7": (WORD,)}}[name]
    many = get_origin(kind) is tuple
    one = _inner(get_args(kind)[0]) if many else kind
    adapter = _adapter(model, name)
    literals = [each for each in get_args(one) if each != field.default] if get_origin(one) is Literal else []
    for each in (*literals, True, 7, 1.5, *_TEXTS):
        value = (each,) if many else each
        try:
            adapter.validate_python(value, strict=True)
        except ValidationError:
            continue
        if value != field.default:
            return value
    raise AssertionError(f"no value for {model.__name__}.{name}")


@cache
def _adapter(model: type[Part], name: str) -> TypeAdapter[Any]:
    """What a field checks by itself."""
    field = model.model_fields[name]
    return TypeAdapter(Annotated[field.annotation, field] if field.metadata else field.annotation)


def _inner(annotation: Any) -> Any:
    """Without ``| None`` and without Annotated."""
    choices = [each for each in get_args(annotation) if each is not NoneType]
    if NoneType in get_args(annotation):
        return _inner(choices[0])
    return _inner(get_args(annotation)[0]) if hasattr(annotation, "__metadata__") else annotation


def _part(annotation: Any) -> type[Part] | None:
    kind = _inner(annotation)
    if get_origin(kind) is tuple:
        kind = _inner(get_args(kind)[0])
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _many(annotation: Any) -> bool:
    return get_origin(_inner(annotation)) is tuple


def nodes(*without: str) -> st.SearchStrategy[Node]:
    """Random nodes with hostile values, without some keys: ``coreos.docker``."""
    return _parts(Node, frozenset(without)).map(_valid).filter(bool)


def _valid(said: dict[str, Any]) -> Node | None:
    """A node whose parts are right may still be wrong as a whole: two files with one path."""
    try:
        return Node.model_validate(said)
    except ValidationError:
        return None


@cache
def _parts(model: type[Part], without: frozenset[str]) -> st.SearchStrategy[dict[str, Any]]:
    needed, others = {}, {}
    for name, field in model.model_fields.items():
        if name not in without:
            below = frozenset(key.partition(".")[2] for key in without if key.startswith(f"{name}."))
            (needed if field.is_required() else others)[name] = _values(model, name, below)
    if not others:
        return st.fixed_dictionaries(needed)
    # A few keys at a time: a node with all of them says little that these do not, and takes long.
    few = st.lists(st.sampled_from(sorted(others)), unique=True, max_size=4)
    return few.flatmap(lambda names: st.fixed_dictionaries(needed | {name: others[name] for name in names}))


def _values(model: type[Part], name: str, without: frozenset[str]) -> st.SearchStrategy[Any]:
    field = model.model_fields[name]
    kind, part = _inner(field.annotation), _part(field.annotation)
    if part is not None:
        one = _parts(part, without).filter(lambda said: _is_valid(part, said))
        return st.lists(one, max_size=3).map(tuple) if _many(field.annotation) else one
    adapter = _adapter(model, name)
    if get_origin(kind) is dict:
        found = st.dictionaries(*(_leaf(each) for each in get_args(kind)), max_size=3)
    else:
        found = _leaf(field.annotation, *field.metadata)
    return found.filter(lambda value: _is_valid(adapter, value))


def _is_valid(kind: TypeAdapter[Any] | type[Part], value: Any) -> bool:
    try:
        kind.validate_python(value) if isinstance(kind, TypeAdapter) else kind.model_validate(value)
    except ValidationError:
        return False
    return True


def _leaf(annotation: Any, *metadata: Any) -> st.SearchStrategy[Any]:
    """Values of a plain type; its pattern and its bounds are looked for in Annotated."""
    metadata = (*metadata, *_metadata(annotation))
    kind = _inner(annotation)
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if get_origin(kind) is tuple:
        return st.lists(_leaf(get_args(kind)[0]), max_size=3).map(tuple)
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(0, 2**31)
    if kind is float:
        return st.floats(0, 1e6)
    found = [each for each in (getattr(part, "pattern", None) for part in metadata) if each]
    if found:
        return st.from_regex(found[0], fullmatch=True)
    if kind is str and "_address" in repr(annotation):
        return st.ip_addresses().map(str)
    if "_path" in repr(annotation):
        return st.lists(_texts(_HOSTILE), min_size=1, max_size=3).map(lambda steps: "/etc/" + "/".join(steps))
    return _texts((*_HOSTILE, *_MANY_LINES))


def _texts(known: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.sampled_from(known) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def _metadata(annotation: Any) -> tuple[Any, ...]:
    """Of this Annotated, and of those inside it and inside ``| None``."""
    here = [part for each in getattr(annotation, "__metadata__", ()) for part in (each, *getattr(each, "metadata", ()))]
    if hasattr(annotation, "__metadata__") or NoneType in get_args(annotation):
        inside = [each for each in get_args(annotation)[:1] if each is not NoneType]
        return (*here, *(part for each in inside for part in _metadata(each)))
    return ()
