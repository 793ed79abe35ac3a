"""How a module declares its arguments, and how what a task says becomes their values.

Knows no type of argument; readers.py has them. Written here, and not with a library for validation, because
importing one and building its classes takes as long as a whole run needs for ten hosts' connections.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Generic, NoReturn, Self, TypeVar, overload

from coreops.frozen import frozen

T = TypeVar("T")
U = TypeVar("U")
_REQUIRED: Any = object()


@frozen
class Reader(Generic[T]):
    """What a task writes -> a value of one type. kind: the type in words, for the reference. Raises ValueError."""

    kind: str
    read: Callable[[object], T]

    def then(self, check: Callable[[T], U]) -> Reader[U]:
        """Read, then look at the value, or make another one of it."""
        return Reader(self.kind, lambda value: check(self.read(value)))

    def after(self, prepare: Callable[[object], object]) -> Reader[T]:
        """Rewrite what the task wrote, then read."""
        return Reader(self.kind, lambda value: self.read(prepare(value)))


class Mistake(ValueError):
    """What is wrong with the arguments of a task. name: the argument as it was written; "" when it is about all."""

    def __init__(self, message: str, name: str = "", *, unknown: bool = False, missing: bool = False) -> None:
        super().__init__(message)
        self.name = name
        self.unknown = unknown
        self.missing = missing


@frozen
class Argument:
    """One argument: how it is read, what it is when nobody says, and its names; the first one is told."""

    reader: Reader[Any]
    default: Any
    names: tuple[str, ...]
    description: str

    @property
    def required(self) -> bool:
        return self.default is _REQUIRED

    def called(self, attribute: str) -> Argument:
        """The same, told by the attribute's name where it has no other."""
        return replace(self, names=(self.names[0] or attribute, *self.names[1:]))


@overload
def argument(reader: Reader[T], *, description: str, aliases: tuple[str, ...] = (), name: str = "") -> T: ...
@overload
def argument(
    reader: Reader[T],
    default: None,
    *,
    description: str,
    aliases: tuple[str, ...] = (),
    name: str = "",
) -> T | None: ...
@overload
def argument(
    reader: Reader[T],
    default: T,
    *,
    description: str,
    aliases: tuple[str, ...] = (),
    name: str = "",
) -> T: ...
def argument(
    reader: Reader[Any],
    default: Any = _REQUIRED,
    *,
    description: str,
    aliases: tuple[str, ...] = (),
    name: str = "",
) -> Any:
    """Declare an argument in the body of a class of Arguments. Without a default a task must give it.

    A default of None lets a task say ``null``. name: what tasks write, when it is not the attribute's name.
    """
    return Argument(reader, default, (name, *aliases), description)


class Arguments:
    """Base of every module's arguments: declarations in the class, values in the instance, which does not change.

    declared: what the class and its bases declare, by attribute. takes_more: further names are no mistake; ``more``
    holds what they say. given: the attributes that the task named.
    """

    declared: ClassVar[Mapping[str, Argument]] = {}
    takes_more: ClassVar[bool] = False
    given: frozenset[str]
    more: Mapping[str, Any]
    # By every name that a task may write; what is read most, so made once.
    _attributes: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        own = {attribute: one for attribute, one in vars(cls).items() if isinstance(one, Argument)}
        cls.declared = {**cls.declared, **{attribute: one.called(attribute) for attribute, one in own.items()}}
        cls._attributes = {name: attribute for attribute, one in cls.declared.items() for name in one.names}

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """The values of a task, all known. Raises Mistake for the first that is wrong."""
        found, given, mistakes = cls._read(raw)
        if mistakes:
            raise mistakes[0]
        made = object.__new__(cls)
        more = {name: value for name, value in raw.items() if name not in cls._attributes} if cls.takes_more else {}
        vars(made).update(found, given=frozenset(given), more=more)
        try:
            made.check()
        except ValueError as error:
            raise Mistake(str(error)) from None
        return made

    @classmethod
    def mistakes(cls, raw: Mapping[str, Any], later: Collection[str]) -> list[Mistake]:
        """What is wrong with arguments one by one, while the values of others are known ``later`` only."""
        found = cls._read(raw)[2]
        expected = [one for one in cls.declared.values() if not set(one.names).isdisjoint(later)]
        coming = {name for one in expected for name in one.names}
        if not cls.takes_more:
            found += [Mistake("unknown", name, unknown=True) for name in later if name not in coming]
        return [one for one in found if one.name and not (one.missing and one.name in coming)]

    @classmethod
    def prepare(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """Rewrite what the task says before anything is read. Raises ValueError."""
        return raw

    def check(self) -> None:
        """Look at the values together. Raises ValueError."""

    def replace(self, **values: Any) -> Self:
        """The same with other values, not checked again."""
        made = object.__new__(type(self))
        vars(made).update(vars(self), **values)
        return made

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name}: arguments do not change")

    @classmethod
    def names(cls) -> Collection[str]:
        """Every name that a task may write."""
        return cls._attributes.keys()

    @classmethod
    def _read(cls, raw: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str], list[Mistake]]:
        """The values by attribute, the name under which the task gave an attribute, and what is wrong."""
        try:
            raw = cls.prepare(raw)
        except ValueError as error:
            return {}, {}, [Mistake(str(error))]
        values: dict[str, Any] = {}
        given: dict[str, str] = {}
        mistakes = []
        for name, value in raw.items():
            attribute = cls._attributes.get(name)
            if attribute is None:
                if not cls.takes_more:
                    mistakes.append(Mistake("unknown", name, unknown=True))
                continue
            if attribute in given:
                mistakes.append(Mistake(f"is the same as {given[attribute]}; give one of them", name))
            given[attribute] = name
            one = cls.declared[attribute]
            try:
                values[attribute] = None if value is None and one.default is None else one.reader.read(value)
            except ValueError as error:
                mistakes.append(Mistake(str(error), name))
        for attribute, one in cls.declared.items():
            if attribute not in given:
                values[attribute] = one.default
                if one.required:
                    mistakes.append(Mistake("missing", one.names[0], missing=True))
        return values, given, mistakes
