"""template: a Jinja2 file of the controller, rendered with the host's variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coreops.errors import InputError
from coreops.model import Blob, Position, Record, Step, TaskResult
from coreops.modules import readers
from coreops.modules.base import Context, Module
from coreops.modules.declared import argument
from coreops.modules.placing import Placing, place, placed

_NEWLINES = {"\\n": "\n", "\\r": "\r", "\\r\\n": "\r\n", "\n": "\n", "\r": "\r", "\r\n": "\r\n"}


class TemplateArguments(Placing):
    src = argument(
        readers.text, description="The template on the controller: absolute, or below the playbook or its `templates/`."
    )
    dest = argument(
        readers.node_path, description="Absolute path on the node. Ends with /: into this folder, without `.j2`."
    )
    force = argument(
        readers.boolean, True, description="Replace other content. `false`: write only when the file is missing."
    )
    follow = argument(readers.boolean, False, description="When dest is a symbolic link, write what it points to.")
    newline_sequence = argument(
        readers.choice("\\n", "\\r", "\\r\\n", "\n", "\r", "\r\n"), "\n", description="How lines end in the file."
    )
    output_encoding = argument(readers.text, "utf-8", description="Character set of the file.")


class Template(Module[TemplateArguments]):
    """Renders on the controller; the node gets the finished file."""

    name = "template"
    summary = "Fill in a template and put it on the node"
    arguments = TemplateArguments
    example = """\
- name: The node's environment file
  template:
    src: node.env.j2
    dest: /etc/coreops/node.env
    mode: '0644'
"""

    def steps(self, args: TemplateArguments, context: Context) -> Sequence[Step]:
        blob, name = _render(args, context)
        dest = args.dest + name.removesuffix(".j2") if args.dest.endswith("/") else args.dest
        return place(context, args, dest, blob, id=context.id, force=args.force, follow=args.follow)

    def result(self, args: TemplateArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        data: dict[str, Any] = {"dest": args.dest, "src": args.src}
        if args.dest.endswith("/"):
            data["dest"] += context.find("templates", args.src).name.removesuffix(".j2")
        steps = self.steps(args, context) if context.diff else ()
        return placed(context, args, steps, records, data)


def _render(args: TemplateArguments, context: Context) -> tuple[Blob, str]:
    path = context.find("templates", args.src)
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else f"not UTF-8 at byte {error.start}"
        raise InputError(f"cannot read the template {path}", where=context.position, why=why) from None
    text = context.template(source, Position(str(path), 1, 1))
    # Jinja2 takes newlines off the end; as many as the template has belong there.
    missing = _trailing_newlines(source) - _trailing_newlines(text)
    text += "\n" * missing
    newline = _NEWLINES[args.newline_sequence]
    if newline != "\n":
        text = text.replace("\n", newline)
    try:
        return Blob.of(text.encode(args.output_encoding)), path.name
    except (UnicodeEncodeError, LookupError) as error:
        raise InputError(f"cannot write {path.name} as {args.output_encoding}", where=path, why=str(error)) from None


def _trailing_newlines(text: str) -> int:
    return len(text) - len(text.rstrip("\n"))
