"""``coreops serve-config``: user-data for machines that ask over HTTP. Flags, wiring and printing only."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from datetime import datetime

    from coreops.delivery.request import Boot
    from coreops.delivery.serving.site import Content, Site
    from coreops.delivery.serving.tickets import Ticket
    from coreops.serving.listen import Listen

LISTEN = "127.0.0.1:8080"


class _Group(TyperGroup):
    """``serve-config DIR`` is ``serve-config serve DIR``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the word in where it was left out."""
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    help="Serve what coreops render -o DIR wrote to the machines that it is for. serve-config DIR is short for "
    "serve-config serve DIR.",
    epilog="\b\nExamples:\n  coreops serve-config out -i inventories/prod --listen 192.0.2.1:8080\n"
    "  coreops serve-config tokens out --url https://192.0.2.1:8443",
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of coreops render -o.")]
State = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="Where it is kept what was served. [default: the render's + .state]"),
]


@app.command(
    epilog="\b\nExamples:\n  coreops serve-config out -i inventories/prod --listen 192.0.2.1:8080\n"
    "  coreops serve-config out --listen 192.0.2.1:8443 --cert web.pem --key web.key --require-token\n"
    "  coreops serve-config out --listen :8080 --kernel http://192.0.2.1/vmlinuz --initrd http://192.0.2.1/image.gz"
)
def serve(
    folder: Folder,
    listen: Annotated[
        str, typer.Option("--listen", metavar="ADDR:PORT", help="Where to listen; :PORT is every address.")
    ] = LISTEN,
    inventory: Annotated[
        list[Path] | None,
        typer.Option("--inventory", "-i", help="Who has which node_mac, node_uuid, node_serial. May be repeated."),
    ] = None,
    by_ip: Annotated[
        bool,
        typer.Option("--by-ip", help="A machine that says nothing is who has its address. Addresses can be forged."),
    ] = False,
    require_token: Annotated[
        bool, typer.Option("--require-token", help="Only for a token of serve-config tokens.")
    ] = False,
    grace: Annotated[
        float,
        typer.Option("--grace", min=0, metavar="SECONDS", help="So long the same address may repeat what is for once."),
    ] = 0,
    state: State = None,
    cert: Annotated[Path | None, typer.Option("--cert", metavar="FILE", help="TLS: the certificate, PEM.")] = None,
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", help="TLS: its key, PEM.")] = None,
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="Secrets may go over plain HTTP to other machines.")
    ] = False,
    audit_log: Annotated[
        Path | None, typer.Option("--audit-log", metavar="FILE", help="Add a JSON object a request to this file.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="How machines reach this server, for iPXE scripts.")
    ] = None,
    kernel: Annotated[str | None, typer.Option("--kernel", metavar="URL", help="For iPXE: the kernel.")] = None,
    initrd: Annotated[
        list[str] | None, typer.Option("--initrd", metavar="URL", help="For iPXE: an initrd. May be repeated.")
    ] = None,
    append: Annotated[
        list[str] | None, typer.Option("--append", metavar="ARG", help="For iPXE: a kernel argument. May be repeated.")
    ] = None,
) -> None:
    """Serve rendered user-data, Ignition and iPXE scripts until Ctrl-C; each machine gets its own, others get 404.

    Pages: /ignition /cloud-config /user-data /meta-data /vendor-data /ipxe /boot.ipxe, with ?mac= ?uuid= ?serial=
    ?token=, or as /mac/M/user-data. What a token names, and user-data with secrets, is served once. SIGHUP reads the
    inventories and the certificate again and reopens the audit log; a new render is noticed by itself.
    """
    from coreops.delivery.serving.answer import Rules
    from coreops.delivery.serving.load import mark
    from coreops.delivery.serving.run import run
    from coreops.delivery.serving.server import Server
    from coreops.delivery.serving.service import Service
    from coreops.delivery.serving.tickets import Tickets
    from coreops.errors import InputError
    from coreops.serving import tls
    from coreops.serving.audit import Audit
    from coreops.serving.listen import base_url
    from coreops.serving.listen import listen as parse

    where = parse(listen)
    if (cert is None) != (key is None):
        raise InputError("--cert and --key go together", next="give both")
    boot = _boot(kernel, initrd or [], append or [])
    site = _reader(folder, inventory or [], by_ip, require_token, boot, where, cert is not None, insecure_http)
    seen = mark(folder)
    first = site()
    context = tls.context(cert, key) if cert and key else None
    if cert and (soon := tls.warning(cert)):
        _say(f"warning: {soon}")
    audit = Audit(audit_log) if audit_log else None
    with Tickets(_state(folder, state)) as tickets:
        service = Service(
            first,
            tickets,
            Rules(require_token, by_ip, grace),
            _say,
            audit=audit,
            url=base_url(url) if url else None,
            reissue=f"coreops serve-config tokens {folder} --reissue",
        )
        server = Server(where, service, tls=context)

        def reload(everything: bool) -> None:
            service.site = site()
            if everything and audit is not None:
                audit.reopen()
            if everything and context is not None and cert and key:
                tls.use(context, cert, key)
            _say(f"read again: {_counted(service.site)}")

        typer.echo(server.url)
        sys.stdout.flush()
        _say(f"serving {_counted(first)}; Ctrl-C ends it")
        run(server, folder, seen, reload, _say)
    if audit is not None:
        audit.close()


@app.command(
    epilog="\b\nExamples:\n  coreops serve-config tokens out --url https://192.0.2.1:8443\n"
    "  coreops serve-config tokens out --list\n  coreops serve-config tokens out --reissue n1"
)
def tokens(
    folder: Folder,
    nodes: Annotated[list[str] | None, typer.Argument(metavar="[NODE]...", help="[default: all]")] = None,
    reissue: Annotated[
        bool, typer.Option("--reissue", help="A new token for the named nodes; they are served once more.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="Issue nothing; show what was, and who was served.")] = False,
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="How machines reach the server.")
    ] = f"http://{LISTEN}",
    state: State = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a node on stdout.")] = False,
) -> None:
    """Issue a one-time token to every node that has none, and print the address that it makes.

    An address is shown once: only a hash of its token is kept. It may be done while the server runs.
    """
    from coreops.delivery.serving.load import load
    from coreops.delivery.serving.pages import address
    from coreops.delivery.serving.tickets import Ticket, Tickets
    from coreops.errors import InputError, did_you_mean
    from coreops.report.text import name_list
    from coreops.serving.listen import base_url

    target, contents = load(folder)
    for name in nodes or ():
        if name not in contents:
            raise InputError(
                f"no node is named {name!r}",
                where=folder,
                why=f"nodes of this render: {name_list(tuple(contents), 5)}",
                next=did_you_mean(name, contents),
            )
    if reissue and not nodes:
        raise InputError("--reissue takes the names of nodes", next="name them, one after another")
    base = base_url(url)
    with Tickets(_state(folder, state)) as kept:
        known = kept.all()
        for name in nodes or contents:
            ticket = known.get(name, Ticket(name))
            made = not listed and (reissue or not ticket.id)
            text = address(base, target, "token", kept.issue(name)) if made else ""
            if as_json:
                typer.echo(json.dumps({"node": name, "url": text} if made else _object(ticket)))
            elif made or listed:
                typer.echo(f"{name}  {text or _told(ticket)}")
            else:
                _say(f"{name}: {_told(ticket)}; --reissue makes another")


def _reader(
    folder: Path,
    inventories: list[Path],
    by_ip: bool,
    require_token: bool,
    boot: Boot | None,
    where: Listen,
    secure: bool,
    insecure: bool,
) -> Callable[[], Site]:
    """A function that reads everything anew and judges it."""
    from coreops.delivery.serving.clear import in_the_clear
    from coreops.delivery.serving.load import load
    from coreops.delivery.serving.machines import Machines
    from coreops.delivery.serving.pages import ipxe_script
    from coreops.delivery.serving.site import Site

    def read() -> Site:
        from coreops.cli._machines import named

        target, contents = load(folder)
        machines = Machines.of(named(inventories, by_ip=by_ip, needed=not require_token))
        site = Site(target, contents, machines, boot)
        if warning := in_the_clear(site, where, tls=secure, insecure=insecure):
            _say(f"warning: {warning}")
        if boot is not None:
            ipxe_script(site, "", "mac 52:54:00:00:00:01", None, f"http://{where}")
        if not require_token:
            _nameless(contents, machines.hosts())
        return site

    return read


def _nameless(contents: dict[str, Content], hosts: frozenset[str]) -> None:
    from coreops.report.text import name_list

    missing = [name for name in contents if name not in hosts]
    if missing:
        _say(
            f"warning: only a token finds {name_list(missing, 5)}: "
            "no node_mac, node_uuid or node_serial in the inventory"
        )


def _boot(kernel: str | None, initrds: list[str], arguments: list[str]) -> Boot | None:
    from coreops.delivery.request import Boot
    from coreops.errors import InputError

    if kernel is None:
        if initrds or arguments:
            raise InputError("--initrd and --append go with --kernel", next="--kernel URL")
        return None
    return Boot(kernel, tuple(initrds), tuple(arguments))


def _state(folder: Path, state: Path | None) -> Path:
    if state is not None:
        return state
    # Not what a link leads to: the next render may be another folder under the same name.
    whole = Path(os.path.abspath(folder))
    return whole.with_name(whole.name + ".state")


def _told(ticket: Ticket) -> str:
    when = f"{_time(ticket.at):%Y-%m-%d %H:%M:%S} UTC"
    token = f"token {ticket.id}..." if ticket.id else "no token"
    told = {
        "open": "not served yet",
        "sending": f"being sent to {ticket.peer}",
        "in doubt": f"sent, not confirmed, to {ticket.peer} on {when}",
        "served": f"served to {ticket.peer} on {when}",
    }
    return f"{token}, {told[ticket.state]}"


def _time(at: float) -> datetime:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC)


def _object(ticket: Ticket) -> dict[str, Any]:
    found = {"node": ticket.node, "state": ticket.state, "token": ticket.id, "peer": ticket.peer}
    for name, at in (("issued", ticket.issued), ("at", ticket.at)):
        found |= {name: _time(at).isoformat(timespec="seconds")} if at else {}
    return {name: value for name, value in found.items() if value}


def _counted(site: Site) -> str:
    from coreops.errors import counted

    return f"{counted(len(site.contents), 'node')} of {site.target}"


def _say(text: str) -> None:
    from coreops.report.text import clean

    typer.echo(clean(text), err=True)
