"""The Jinja2 environment: strict undefined, sandboxed, Ansible's filters, tests and lookups. Compiles each text once.

Imports jinja2, so it is itself imported only when the first template is met. Knows scopes only as something with
``resolve`` and ``child``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from jinja2 import BaseLoader, StrictUndefined, TemplateNotFound, nodes
from jinja2.environment import Template
from jinja2.exceptions import TemplateAssertionError, TemplateSyntaxError, UndefinedError
from jinja2.parser import Parser
from jinja2.runtime import Context, Macro
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing
from markupsafe import Markup

from coreops.errors import InputError, did_you_mean
from coreops.model import Position
from coreops.playbook import conditions, filters, lookups
from coreops.playbook.pending import OMIT, Pending, SkippedData, touch

if TYPE_CHECKING:
    from coreops.playbook.vars import Scope

_ATOMS = frozenset({str, int, float, bool, type(None), bytes})


class UndefinedReference(UndefinedError):
    """Something undefined was used. obj: what lacks ``name`` (``missing``: the scope). trail: through what."""

    def __init__(self, obj: Any, name: Any, trail: tuple[str, ...], message: str | None = None) -> None:
        super().__init__(message)
        self.obj = obj
        self.name = name
        self.trail = trail


class Missing(StrictUndefined):
    """Undefined; also what is below it is undefined, so that ``a.b.c | default(x)`` works as in Ansible."""

    __slots__ = ("_trail",)

    def __init__(
        self, hint: str | None = None, obj: Any = missing, name: str | None = None, exc: Any = None, trail: Any = ()
    ) -> None:
        super().__init__(hint=hint, obj=obj, name=name, exc=partial(UndefinedReference, obj, name, trail))  # type: ignore[arg-type]
        self._trail = trail

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: Any) -> Any:
        return self

    def fail(self) -> NoReturn:
        """Raise the UndefinedReference."""
        raise UndefinedReference(self._undefined_obj, self._undefined_name, self._trail, self._undefined_message)


def missing_through(error: Exception, name: str) -> Missing:
    """What a variable is worth whose own template met something undefined."""
    if not isinstance(error, UndefinedReference):
        raise error
    return Missing(obj=error.obj, name=error.name, trail=(name, *error.trail))


class ScopedContext(Context):
    """A Jinja2 context whose variables are a Scope, resolved one by one when they are used."""

    def resolve_or_missing(self, key: str) -> Any:
        if key in self.vars:
            return self.vars[key]
        scope: Any = self.parent
        if isinstance(scope, dict):
            return scope.get(key, missing)
        found = scope.resolve(key, missing)
        return self.environment.globals.get(key, missing) if found is missing else found

    def get_all(self) -> Any:
        return self.parent.child(self.vars) if self.vars and not isinstance(self.parent, dict) else self.parent


class ScopedTemplate(Template):
    """A template that takes a Scope for its variables, also in includes and imports."""

    def new_context(self, vars: Any = None, shared: bool = False, locals: Mapping[str, Any] | None = None) -> Context:
        if isinstance(vars, dict) or vars is None or not locals:
            return super().new_context(vars, shared, locals)
        return super().new_context(vars.child({k: v for k, v in locals.items() if v is not missing}), True, None)


class Environment(SandboxedEnvironment):
    """coreops's Jinja2: see the module's docstring."""

    template_class = ScopedTemplate
    context_class = ScopedContext


class _Files(BaseLoader):
    """Finds ``{% include %}`` beside the playbook and in its templates folder."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def get_source(self, environment: Any, template: str) -> tuple[str, str, Callable[[], bool]]:
        for folder in (self._base / "templates", self._base):
            path = folder / template
            if path.is_file():
                return path.read_text("utf-8"), str(path), lambda: True
        raise TemplateNotFound(template, f"{template} is neither in {self._base / 'templates'} nor in {self._base}")


@cache
def environment(base: Path | None = None) -> Environment:
    """The environment of playbooks in a folder; None: for expressions, which cannot include files."""
    env = Environment(
        undefined=Missing,
        trim_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: "" if value is None else value,
        extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"],
        loader=_Files(base) if base else None,
    )
    env.filters.update(filters.FILTERS)
    env.tests.update(conditions.TESTS)
    env.globals.update(lookup=lookups.lookup, query=lookups.query, q=lookups.query)
    return env


class Compiled:
    """One text, compiled. Calling it with a scope returns a settled value: native for a lone ``{{ expression }}``."""

    __slots__ = ("_root", "_template", "native")

    def __init__(self, template: Template, *, native: bool) -> None:
        self._template = template
        self._root = template.root_render_func
        self.native = native

    def __call__(self, scope: Scope) -> Any:
        context = self._template.new_context(scope, True)  # type: ignore[arg-type]
        if not self.native:
            return "".join(self._root(context))
        for _ in self._root(context):
            pass
        return settle(context.vars["result"])

    def line_of(self, error: BaseException) -> int:
        """The line of the text in which an error was raised, or 0."""
        line, trace = 0, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_globals.get("__jinja_template__") is self._template or (
                trace.tb_frame.f_code is self._root.__code__
            ):
                line = self._template.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return line


@cache
def compile_text(source: str, base: Path | None = None, always_text: bool = False) -> Compiled:
    """Compile a text with templates in it. Raises jinja2's TemplateSyntaxError."""
    env = environment(base)
    tree = env.parse(source)
    _check_names(env, tree)
    match tree.body:
        case [nodes.Output(nodes=[expression])] if not isinstance(expression, nodes.TemplateData) and not always_text:
            return _native(env, expression)
    return Compiled(env.from_string(tree), native=False)


@cache
def compile_expression(source: str) -> Compiled:
    """Compile a bare expression, as ``when`` takes it. Raises TemplateSyntaxError."""
    env = environment()
    parser = Parser(env, source, state="variable")
    expression = parser.parse_expression()
    if not parser.stream.eos:
        current = parser.stream.current
        raise TemplateSyntaxError(f"unexpected {current.value!r} after the expression", current.lineno)
    expression.set_environment(env)
    _check_names(env, expression)
    return _native(env, expression)


def _native(env: Environment, expression: nodes.Node) -> Compiled:
    assign = nodes.Assign(nodes.Name("result", "store"), expression, lineno=1)
    assign.set_environment(env)
    return Compiled(env.from_string(nodes.Template([assign], lineno=1)), native=True)


def _check_names(env: Environment, tree: nodes.Node) -> None:
    for kind, known, called in ((nodes.Filter, env.filters, "filter"), (nodes.Test, env.tests, "test")):
        for node in [tree, *tree.find_all(kind)]:
            if isinstance(node, (nodes.Filter, nodes.Test)) and isinstance(node, kind):
                short = node.name.removeprefix("ansible.builtin.")
                if short in known:
                    node.name = short
                    continue
                near = did_you_mean(short, known)
                raise TemplateAssertionError(
                    f"unknown {called} {node.name!r}" + (f"; {near}" if near else ""), node.lineno
                )


def settle(value: Any) -> Any:
    """A plain, own copy of a templated value: nothing undefined, pending or lazy remains; ``omit`` entries go."""
    kind = type(value)
    if kind in _ATOMS or value is OMIT:
        return value
    if isinstance(value, Pending):
        touch(value)
    if isinstance(value, Missing):
        value.fail()
    if isinstance(value, Markup):
        return str(value)
    if isinstance(value, dict):
        fields = {key: settle(part) for key, part in value.items() if part is not OMIT}
        return SkippedData(fields, value.of) if isinstance(value, SkippedData) else fields
    if isinstance(value, (list, tuple, set, frozenset, range)) or hasattr(value, "__next__"):
        return [settle(part) for part in value if part is not OMIT]
    if kind.__name__ in ("dict_keys", "dict_values", "dict_items"):
        return [settle(part) for part in value]
    if isinstance(value, Macro) or callable(value):
        raise ValueError(f"the value is a function ({getattr(value, 'name', value)}); call it with ()")
    return value


def syntax_error(error: TemplateSyntaxError, source: str, position: Position) -> InputError:
    """Say where in a file a template is wrong. A position without column is that of a whole file."""
    where = position
    if not position.column and error.lineno:
        where = Position(position.file, error.lineno)
    shown = source if len(source) <= 120 else source[:117] + "..."
    return InputError(
        "the template cannot be parsed", where=where, why=f"{error.message}", next=f"the text is: {shown.strip()}"
    )
