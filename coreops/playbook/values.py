"""Values with templates in them, prepared once and evaluated per host. Imports jinja2 only when a template is met.

A value that is exactly one ``{{ expression }}`` keeps the expression's type; every other template gives text. Nothing
is ever evaluated twice: what a template yields is not looked at for templates again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from coreops.errors import CoreopsError, InputError, did_you_mean
from coreops.model import Position
from coreops.playbook import plain
from coreops.playbook.pending import CheckUnknown, Signal, SkippedData
from coreops.playbook.source import Node

if TYPE_CHECKING:
    from coreops.playbook.jinja import Compiled, UndefinedReference
    from coreops.playbook.vars import Scope


@runtime_checkable
class Advisor(Protocol):
    """A host's variables: knows what to do about a name that is not among them."""

    @property
    def host(self) -> str: ...

    def advice(self, name: str) -> str: ...


class Value(Protocol):
    """Something that yields a plain value for a scope. ``static``: always the same one, no template in it."""

    static: bool

    def evaluate(self, scope: Scope) -> Any:
        """Return the value. Raises UndefinedReference, InputError or a Signal."""


def has_template(text: str) -> bool:
    """Could this text be a template?"""
    return "{" in text and ("{{" in text or "{%" in text or "{#" in text)


class Constant:
    """A value without templates."""

    __slots__ = ("static", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.static = True

    def evaluate(self, scope: Scope) -> Any:
        return self.value


class Text:
    """A text with templates, or (``bare``) an expression without braces."""

    __slots__ = ("_compiled", "_plain", "bare", "position", "source", "static")

    def __init__(self, source: str, position: Position | None, *, bare: bool = False) -> None:
        self.source = source
        self.position = position
        self.bare = bare
        self.static = False
        self._compiled: Compiled | None = None
        self._plain = None if bare else plain.split(source)

    def check(self) -> None:
        """Raise InputError for bad syntax and unknown filters."""
        if self._plain is None:
            self.compiled()

    def compiled(self) -> Compiled:
        """Compile, once. Raises InputError for bad syntax and unknown filters."""
        if self._compiled is None:
            from jinja2.exceptions import TemplateSyntaxError

            from coreops.playbook import jinja

            try:
                self._compiled = (jinja.compile_expression if self.bare else jinja.compile_text)(self.source)
            except TemplateSyntaxError as error:
                raise jinja.syntax_error(error, self.source, self.position or Position("a variable")) from None
        return self._compiled

    def evaluate(self, scope: Scope) -> Any:
        try:
            if self._plain is not None and (found := plain.fill(self._plain, scope)) is not plain.UNKNOWN:
                return found
            return self.compiled()(scope)
        except (Signal, CoreopsError):
            raise
        except Exception as error:
            if is_undefined(error) or self.position is None:
                raise
            raise failure(error, self.position) from None


class Listing:
    """A list with templates somewhere inside."""

    __slots__ = ("parts", "static")

    def __init__(self, parts: tuple[Value, ...]) -> None:
        self.parts = parts
        self.static = False

    def evaluate(self, scope: Scope) -> Any:
        from coreops.playbook.pending import OMIT

        return [value for part in self.parts if (value := part.evaluate(scope)) is not OMIT]


class Fields:
    """A mapping with templates somewhere inside; keys are never templates."""

    __slots__ = ("parts", "static")

    def __init__(self, parts: Mapping[Any, Value]) -> None:
        self.parts = parts
        self.static = False

    def evaluate(self, scope: Scope) -> Any:
        from coreops.playbook.pending import OMIT

        return {key: value for key, part in self.parts.items() if (value := part.evaluate(scope)) is not OMIT}


def texts(value: Value) -> Iterator[str]:
    """The source of every template in a value."""
    if isinstance(value, Text):
        yield value.source
    elif isinstance(value, (Listing, Fields)):
        for part in value.parts.values() if isinstance(value, Fields) else value.parts:
            yield from texts(part)


def prepare(node: Node) -> Value:
    """Prepare a value of a file and check its templates' syntax. Raises InputError with file:line:col."""
    value = node.value
    if isinstance(value, str):
        if not has_template(value):
            return Constant(value)
        text = Text(value, node.position)
        text.check()
        return text
    if node.items:
        fields = {key: prepare(child) for key, child in node.items.items()}
        return Constant(value) if all(part.static for part in fields.values()) else Fields(fields)
    if node.elements:
        parts = tuple(prepare(child) for child in node.elements)
        return Constant(value) if all(part.static for part in parts) else Listing(parts)
    return Constant(value)


def prepare_plain(value: Any, position: Position | None = None) -> Value:
    """Prepare a value of which at best the ``position`` of the whole is known (inventory, --extra-vars)."""
    if isinstance(value, str):
        return Text(value, position) if has_template(value) else Constant(value)
    if isinstance(value, Mapping):
        fields = {key: prepare_plain(part, position) for key, part in value.items()}
        return Constant(value) if all(part.static for part in fields.values()) else Fields(fields)
    if isinstance(value, (list, tuple)):
        parts = tuple(prepare_plain(part, position) for part in value)
        return Constant(value) if all(part.static for part in parts) else Listing(parts)
    return Constant(value)


def is_undefined(error: BaseException) -> bool:
    """Is this our UndefinedReference? (Asked without importing jinja2.)"""
    return type(error).__name__ == "UndefinedReference"


def render(value: Value, scope: Scope, position: Position) -> Any:
    """Evaluate; every mistake becomes an InputError at ``position`` (or nearer), naming the host. Signals pass."""
    if value.static:
        return value.evaluate(scope)
    near = value.position if isinstance(value, Text) and value.position else position
    try:
        return value.evaluate(scope)
    except (Signal, CoreopsError):
        raise
    except Exception as error:
        if is_undefined(error):
            raise undefined(error, near, scope) from None  # type: ignore[arg-type]
        raise failure(error, near) from None


def undefined(error: UndefinedReference, position: Position, scope: Scope) -> CoreopsError | Signal:
    """What to raise for an undefined reference: in check mode a result that was not made is unknown, not wrong."""
    from jinja2.utils import missing

    trail = f" (through {' -> '.join(repr(name) for name in error.trail)})" if error.trail else ""
    if isinstance(error.obj, SkippedData):
        return CheckUnknown(f"{error.name!r} of {error.obj.of!r}")
    if error.obj is missing:
        name = str(error.name)
        advice = scope.advice(name)
        return InputError(
            f"variable {name!r} is not defined{trail}", where=position, why=f"on host {scope.host}", next=advice
        )
    if isinstance(error.obj, Advisor):
        what = f"variable {error.name!r} of host {error.obj.host} is not defined{trail}"
        return InputError(what, where=position, why=f"on host {scope.host}", next=error.obj.advice(str(error.name)))
    shown = [str(key) for key in error.obj] if isinstance(error.obj, Mapping) else []
    near = did_you_mean(str(error.name), shown)
    what = error.message if not isinstance(error.obj, Mapping) and error.message else f"there is no {error.name!r} here"
    return InputError(
        f"{what}{trail}",
        where=position,
        why=f"on host {scope.host}",
        next=near or (f"there is: {', '.join(shown[:12])}" if shown else None),
    )


def failure(error: Exception, position: Position) -> InputError:
    """An InputError for an exception out of a template."""
    reason = "the template refers to itself without end" if isinstance(error, RecursionError) else str(error)
    return InputError("the template failed", where=position, why=reason or type(error).__name__)
