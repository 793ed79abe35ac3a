"""``coreops discovery``: where etcd members that boot alone find each other. Flags, wiring and printing only."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coreops.cli import _options as options

if TYPE_CHECKING:
    from coreops.discovery.registry import Token
    from coreops.discovery.v3 import Certificates

LISTEN = "127.0.0.1:8087"
URL = f"http://{LISTEN}"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Let etcd members that boot alone find each other, as with discovery.etcd.io, or by the keys of etcd 3.6.",
    epilog="\b\nExamples:\n  coreops discovery serve --listen 192.0.2.1:8087\n"
    "  coreops discovery new prod --size 3 --url http://192.0.2.1:8087",
)

StoreCa = Annotated[Path | None, typer.Option("--cacert", metavar="FILE", help="The CA of that etcd, PEM.")]
StoreCert = Annotated[Path | None, typer.Option("--cert", metavar="FILE", help="Our certificate for it, PEM.")]
StoreKey = Annotated[Path | None, typer.Option("--key", metavar="FILE", help="The key of that, PEM.")]
LedgerOption = Annotated[Path, typer.Option("--ledger", metavar="FILE", help="Where tokens and members are kept.")]
LEDGER = Path("discovery.db")


@app.command(
    epilog="\b\nExamples:\n  coreops discovery serve --listen 192.0.2.1:8087\n"
    "  coreops discovery serve --listen 192.0.2.1:8443 --cert web.pem --key web.key --audit-log audit.log"
)
def serve(
    listen: Annotated[
        str, typer.Option("--listen", metavar="ADDR:PORT", help="Where to listen; :PORT is every address.")
    ] = LISTEN,
    ledger: LedgerOption = LEDGER,
    cert: Annotated[Path | None, typer.Option("--cert", metavar="FILE", help="TLS: the certificate, PEM.")] = None,
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", help="TLS: its key, PEM.")] = None,
    audit_log: Annotated[
        Path | None, typer.Option("--audit-log", metavar="FILE", help="Add a JSON object a request to this file.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="How machines reach this server. [default: as asked]")
    ] = None,
) -> None:
    """Serve discovery until Ctrl-C: GET /new?size=N makes a token, etcd's --discovery URL/TOKEN does the rest.

    A member that is one too many is refused, and named here. SIGHUP reads the certificate again and reopens the audit
    log.
    """
    from coreops.discovery.ledger import Ledger
    from coreops.discovery.service import Discovery
    from coreops.errors import InputError, counted
    from coreops.serving import tls
    from coreops.serving.audit import Audit
    from coreops.serving.listen import base_url
    from coreops.serving.listen import listen as parse
    from coreops.serving.run import run
    from coreops.serving.server import Limits, Server

    where = parse(listen)
    if (cert is None) != (key is None):
        raise InputError("--cert and --key go together", next="give both")
    base = base_url(url) if url else None
    context = tls.context(cert, key) if cert and key else None
    if cert and (soon := tls.warning(cert)):
        _say(f"warning: {soon}")
    if context is None and not where.local:
        _say(f"warning: plain HTTP on {where}: whoever is on the way can register a member; --cert and --key end that")
    with Ledger(ledger) as kept:
        audit = Audit(audit_log) if audit_log else None
        service = Discovery(kept, _say, audit=audit, url=base)
        # A member waits on a connection of its own until all are there.
        server = Server(where, service, Limits(most=1024), tls=context)

        def reload(everything: bool) -> None:
            if audit is not None:
                audit.reopen()
            if context is not None and cert and key:
                tls.use(context, cert, key)
            _say("read again")

        typer.echo(server.url)
        sys.stdout.flush()
        _say(f"serving {counted(len(kept.all()), 'token')} of {ledger}; Ctrl-C ends it")
        run(server, reload, _say, stopping=service.stop)
        if audit is not None:
            audit.close()


@app.command(
    epilog="\b\nExamples:\n  coreops discovery new prod --size 3 --url http://192.0.2.1:8087\n"
    "  coreops discovery new prod --size 3 --replaces 1f2e3d4c"
)
def new(
    cluster: Annotated[str, typer.Argument(metavar="CLUSTER", help="What the cluster is called.")],
    size: Annotated[int, typer.Option("--size", help="How many members begin it: 1, 3, 5, 7 or 9.")] = 3,
    even: Annotated[bool, typer.Option("--even", help="An even number of members is wanted in spite of all.")] = False,
    replaces: Annotated[
        str | None,
        typer.Option("--replaces", metavar="TOKEN", help="The token that the cluster had, once the cluster is gone."),
    ] = None,
    ledger: LedgerOption = LEDGER,
    url: Annotated[str, typer.Option("--url", metavar="URL", help="How machines reach the server.")] = URL,
    store: Annotated[
        list[str] | None,
        typer.Option("--store", metavar="URL", help="For etcd 3.6 and newer: an etcd that keeps it; repeatable."),
    ] = None,
    cacert: StoreCa = None,
    cert: StoreCert = None,
    key: StoreKey = None,
) -> None:
    """Make a token for a cluster that is to be, and print the URL for etcd's --discovery. It may be done while serving.

    With --store another etcd keeps who registered, as etcd 3.6 and newer want it; printed are their options.

    A cluster gets one token. Members that join later need none; a cluster that is gone gets another with --replaces.
    """
    from coreops.discovery.ledger import Ledger
    from coreops.discovery.registry import STORE, find, name_fault, size_fault
    from coreops.discovery.v3 import Certificates, Store
    from coreops.errors import InputError
    from coreops.serving.listen import base_url

    if (fault := name_fault(cluster)) is not None:
        raise InputError(f"a cluster cannot be called {cluster!r}", why=fault)
    if (fault := size_fault(size, even=even)) is not None:
        more = None if size_fault(size, even=True) else f"--size {size - 1} or {size + 1}; --even makes it all the same"
        raise InputError(f"--size cannot be {size}", why=fault, next=more)
    if (cert is None) != (key is None):
        raise InputError("--cert and --key go together", next="give both")
    if store and url != URL:
        raise InputError("--url and --store exclude each other", why="with --store, members ask that etcd")
    keeper = Store(store, Certificates(cacert, cert, key)) if store else None
    base = STORE + ",".join(keeper.endpoints) if keeper else base_url(url)
    with Ledger(ledger) as kept:
        old = None
        if replaces is not None:
            old = find(kept.all(), replaces)
            if old is None or old.cluster != cluster or old.replaced:
                raise InputError(
                    f"{cluster} does not have the token {replaces}", next=f"coreops discovery show {cluster}"
                )
            _gone(_members(old, Certificates(cacert, cert, key), leaving=True))
        before = old.token if old else ""

        def publish(token: str) -> None:
            if keeper is not None:
                keeper.publish(token, size, before)

        made = kept.new(size, base, cluster, before, publish)
    typer.echo(made.option)


@app.command(epilog="\b\nExamples:\n  coreops discovery show prod\n  coreops discovery show 1f2e3d4c --json")
def show(
    word: Annotated[str, typer.Argument(metavar="CLUSTER|TOKEN", help="A cluster, a token, its URL, its short name.")],
    ledger: LedgerOption = LEDGER,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    cacert: StoreCa = None,
    cert: StoreCert = None,
    key: StoreKey = None,
) -> None:
    """Show a token: its URL, who registered, and who was refused."""
    from coreops.discovery.ledger import Ledger
    from coreops.discovery.registry import find
    from coreops.discovery.v3 import Certificates
    from coreops.errors import InputError, did_you_mean
    from coreops.identity import identity
    from coreops.report.text import clean

    with Ledger(ledger, make=False) as kept:
        tokens = kept.all()
        token = find(tokens, word)
        hellos = kept.hellos(token.token) if token is not None else ()
    if token is None:
        known = [each.cluster for each in tokens if each.cluster]
        raise InputError(f"no cluster or token {word!r}", where=ledger, next=did_you_mean(word, known))
    token = _members(token, Certificates(cacert, cert, key))
    if as_json:
        heard = [{"machine_id": each.machine, "peer": each.peer, "at": _time(each.at)} for each in hellos]
        typer.echo(json.dumps(_object(token) | {"url": token.option, "machines": heard}))
        return
    typer.echo(clean(token.option))
    typer.echo(_line(token))
    for place, member in enumerate(token.members):
        came = f"from {member.peer}, {_time(member.at)}" if member.peer else f"revision {member.index}"
        surplus = "" if place < token.size else ": one too many, it is no member"
        typer.echo(clean(f"  {member.name}  {' '.join(member.urls)}  {came}{surplus}"))
    for refusal in token.refusals:
        times = "" if refusal.times == 1 else f", {refusal.times} times"
        name = refusal.name or refusal.id
        typer.echo(clean(f"  refused {name}{times}, last from {refusal.peer}, {_time(refusal.at)}: {refusal.why}"))
    for each in hellos:
        name = identity.parse(each.text).hostname or "-"
        typer.echo(clean(f"  {name} told who it is from {each.peer}, {_time(each.at)}: machine-id {each.machine}"))


@app.command("list", epilog="\b\nExamples:\n  coreops discovery list\n  coreops discovery list --json")
def list_(
    ledger: LedgerOption = LEDGER,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a token on stdout.")] = False,
) -> None:
    """List the tokens, the oldest first."""
    from coreops.discovery.ledger import Ledger

    with Ledger(ledger, make=False) as kept:
        for token in kept.all():
            typer.echo(json.dumps(_object(token)) if as_json else _line(token))


@app.command(
    epilog="\b\nExamples:\n  coreops discovery srv example.net -i inventories/prod\n"
    "  coreops discovery srv example.net -i inventories/prod --server 192.0.2.53"
)
def srv(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="As in etcd's --discovery-srv.")],
    inventory: options.Inventory = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="As in etcd's --discovery-srv-name.")] = "",
    server: Annotated[
        str | None, typer.Option("--server", metavar="ADDR[:PORT]", help="Who to ask. [default: as /etc/resolv.conf]")
    ] = None,
) -> int:
    """Look whether DNS names the members of the group store, each once and nobody else, for etcd's --discovery-srv.

    etcd that boots by wrong records waits forever, or begins another cluster: look before the machines boot.
    """
    from coreops.cli._fleet import columns, source
    from coreops.cli._nodes import store_addresses
    from coreops.discovery.srv import faults, find, servers
    from coreops.errors import CoreopsError
    from coreops.inventory import load_inventory
    from coreops.report.text import clean
    from coreops.serving.listen import listen

    members = store_addresses(load_inventory(source(inventory)))
    ask = servers()
    if server is not None:
        where = listen(server if server.rpartition(":")[2].isdigit() and ":" in server else f"{server}:53")
        ask = ((where.host, where.port),)
    found = find(domain, name, ask, members)
    for line in columns([(each.host or "-", each.url, " ".join(each.addresses)) for each in found]):
        typer.echo(line)
    if wrong := tuple(faults(found, members)):
        raise CoreopsError(
            f"etcd cannot form this cluster by the records of {clean(domain)}",
            why="; ".join(wrong),
            next="correct the zone, or the inventory: one record a member, whose name has the member's address",
        )
    return 0


def _members(token: Token, certificates: Certificates, *, leaving: bool = False) -> Token:
    """The token with who registered, where another etcd keeps that. leaving: it is to be replaced.

    Raises CoreopsError.
    """
    from coreops.discovery.v3 import Store
    from coreops.errors import CoreopsError

    if not token.store:
        return token
    found, size = Store(token.store, certificates).read(token)
    if size != token.size and not (token.replaced or leaving):
        raise CoreopsError(
            f"the size of {token.name} is not what was written",
            where=token.store[0],
            why=f"it is {size or 'gone'}, and was {token.size}",
            next=f"trust this token no more; coreops discovery new {token.cluster} --replaces {token.id} makes another",
        )
    return found


def _gone(token: Token) -> None:
    """Raise RefusedError when a cluster lives."""
    from coreops.discovery.alive import answering
    from coreops.errors import RefusedError
    from coreops.report.text import name_list

    if found := answering(token):
        raise RefusedError(
            f"{token.name} lives: its token is not replaced",
            why=f"something listens at {name_list(found, 3)}",
            next="a member that joins later needs no token; stop all members first if the cluster is to begin anew",
        )


def _line(token: Token) -> str:
    state = f"replaced on {_time(token.replaced)}" if token.replaced else "complete" if token.full else "waiting"
    refused = f", {len(token.refusals)} refused" if token.refusals else ""
    if token.store and not token.members:
        state = state if token.replaced else f"kept by {', '.join(token.store)}"
    return (
        f"{token.id}  {token.cluster or '-'}  {len(token.members)} of {token.size}  {state}{refused}"
        f"  made on {_time(token.at)}"
    )


def _object(token: Token) -> dict[str, Any]:
    found: dict[str, Any] = {"id": token.id, "cluster": token.cluster, "size": token.size, "made": _time(token.at)}
    if token.replaced:
        found["replaced"] = _time(token.replaced)
    found["complete"] = token.full
    found["members"] = [
        {"name": each.name, "id": each.id, "urls": each.urls, "peer": each.peer, "at": _time(each.at)}
        for each in token.members
    ]
    found["refused"] = [
        {
            "name": each.name,
            "id": each.id,
            "why": each.why,
            "peer": each.peer,
            "at": _time(each.at),
            "times": each.times,
        }
        for each in token.refusals
    ]
    return found


def _time(at: float) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _say(text: str) -> None:
    from coreops.report.text import clean

    typer.echo(clean(text), err=True)
