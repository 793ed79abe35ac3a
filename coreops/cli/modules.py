"""``coreops modules [NAME]``: the module reference on the command line, from the same classes that run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from coreops.modules.declared import Argument


def _names(incomplete: str) -> list[str]:
    from coreops.modules import registry

    return [name for name in registry.names() if name.startswith(incomplete)]


def modules(
    name: Annotated[str | None, typer.Argument(help="Show this module's arguments.", autocompletion=_names)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the modules that tasks can use, or show one.

    \b
      coreops modules
      coreops modules copy
    """
    from coreops.modules import registry

    if name is None:
        summaries = {one: registry.get(one).summary for one in registry.names()}
        if as_json:
            typer.echo(json.dumps(summaries))
            return
        width = max(map(len, summaries))
        for one, summary in summaries.items():
            typer.echo(f"{one:<{width}}  {summary}")
        return
    module = registry.get(name)
    arguments = {one.names[0]: _argument(one) for one in module.arguments.declared.values()}
    if as_json:
        typer.echo(json.dumps({"name": module.name, "summary": module.summary, "arguments": arguments}))
        return
    typer.echo(f"{module.name}: {module.summary}\n")
    for key, about in arguments.items():
        need = "required" if about["required"] else f"default {about['default']}" if about["default"] else ""
        typer.echo(f"  {key}" + (f" ({need})" if need else ""))
        typer.echo(f"      {about['description']}")


def _argument(argument: Argument) -> dict[str, Any]:
    default = None if argument.required or argument.default is None else json.dumps(argument.default, default=str)
    return {"required": argument.required, "default": default, "description": argument.description}
