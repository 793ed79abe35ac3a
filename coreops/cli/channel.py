"""``coreops channel``: make, fill, look at and serve a repository of releases. Flags and printing only."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from coreops.upgrade.channel.reader import Repository
    from coreops.upgrade.release import Release

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Publish releases in signed channels; look at, verify, serve them."
)

REPO = "channel"
Repo = Annotated[
    Path, typer.Option("--repo", "-R", metavar="DIR", envvar="COREOPS_CHANNEL", help="The repository's folder.")
]
KeysOption = Annotated[
    Path | None, typer.Option("--keys", metavar="DIR", help="The folder of keys. [default: the repository's + .keys]")
]
Place = Annotated[
    str | None, typer.Argument(metavar="[URL|DIR]", envvar="COREOPS_CHANNEL", help="The repository. [default: channel]")
]
Root = Annotated[
    Path | None, typer.Option("--root", metavar="FILE", help="The pinned root. [default: the one beside the keys]")
]
Board = Annotated[str, typer.Option("--board", help="Which machines it is for.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def _keys(folder: Path, keys: Path | None) -> Path:
    if keys is not None:
        return keys
    from coreops.errors import InputError

    whole = folder.resolve()
    if not whole.name:
        raise InputError("the root of the file system is no place for a channel repository", next="name a folder")
    return (whole if folder.name in ("", "..") else folder).with_name(whole.name + ".keys")


def _say(text: str) -> None:
    from coreops.report.text import clean

    typer.echo(clean(text), err=True)


def _waiting() -> None:
    _say("waiting for another publisher of this repository")


@app.command(epilog="\b\nExamples:\n  coreops channel init\n  coreops channel init /srv/channel --keys ~/channel.keys")
def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The repository's folder.")] = Path(REPO),
    keys: KeysOption = None,
    days: Annotated[
        int, typer.Option("--days", min=1, max=3650, help="How long a refresh keeps the repository fresh.")
    ] = 14,
    as_json: Json = False,
) -> None:
    """Make an empty repository and its keys, and print the root of trust that inventories pin."""
    from coreops.upgrade.channel.publish import init as make

    pin = make(folder, _keys(folder, keys), {"timestamp": days})
    if as_json:
        typer.echo(json.dumps({"root": str(pin.root), "sha256": pin.sha256, "keys": str(pin.keys)}))
        return
    typer.echo(f"root to pin: {pin.root}\n    SHA-256: {pin.sha256}\n       keys: {pin.keys}")
    _say(f"Keep {pin.keys} where nobody else reads it; whoever has it can sign releases.")


@app.command(
    epilog="\b\nExamples:\n  coreops channel publish usr-1.1.0.squashfs --version 1.1.0 --channel alpha\n"
    "  coreops channel publish usr.img --kernel vmlinuz --version 3510.2.0 --channel beta --min-from 3374.0.0"
)
def publish(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The slot's /usr file system.")],
    version: Annotated[str, typer.Option("--version", help="The release's version.")],
    channel: Annotated[str, typer.Option("--channel", help="The channel that gets it.")],
    board: Board = "amd64-usr",
    kernel: Annotated[
        Path | None, typer.Option("--kernel", metavar="FILE", help="The kernel, where nodes boot it from the slot.")
    ] = None,
    min_from: Annotated[
        str, typer.Option("--min-from", metavar="VERSION", help="The oldest version that may go to this one.")
    ] = "",
    barrier: Annotated[bool, typer.Option("--barrier", help="No node may skip this version.")] = False,
    deadend: Annotated[
        str, typer.Option("--deadend", metavar="WHY", help="Nothing leads away from this version.")
    ] = "",
    notes: Annotated[str, typer.Option("--notes", help="What operators should know.")] = "",
    codec: Annotated[str, typer.Option("--codec", help="auto, none, gzip or zstd.")] = "auto",
    repo: Repo = Path(REPO),
    keys: KeysOption = None,
    as_json: Json = False,
) -> None:
    """Pack an image, sign it, and let a channel have it. All or nothing; may be repeated.

    Publishing the same image again changes what is said about it: --min-from, --barrier, --deadend, --notes.
    """
    from coreops.errors import InputError, did_you_mean
    from coreops.upgrade.channel.pack import CODECS
    from coreops.upgrade.channel.publish import publish as run

    chosen = next((one for one in CODECS if one == codec), None)
    if chosen is None:
        raise InputError(
            f"there is no codec {codec!r}", why=f"codecs: {', '.join(CODECS)}", next=did_you_mean(codec, CODECS)
        )
    with _Bar("packing") as bar:
        done = run(
            repo,
            _keys(repo, keys),
            image,
            version=version,
            channel=channel,
            board=board,
            kernel=kernel,
            min_from=min_from,
            barrier=barrier,
            deadend=deadend,
            notes=notes,
            codec=chosen,
            tell=bar,
            waiting=_waiting,
        )
    for note in done.notes:
        _say(f"note: {note}")
    release = done.release
    if as_json:
        typer.echo(json.dumps(_object(release) | {"channel": channel, "again": done.again}))
        return
    again = ", was published before" if done.again else ""
    typer.echo(
        f"{release.version} for {release.board} is in {channel}: "
        f"{_mib(release.size)}, {release.codec}, {release.sha256}{again}"
    )


@app.command(epilog="\b\nExamples:\n  coreops channel promote 1.1.0 --to stable")
def promote(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A version that was published.")],
    to: Annotated[str, typer.Option("--to", metavar="CHANNEL", help="The channel that gets it.")],
    board: Annotated[str | None, typer.Option("--board", help="Only for these machines. [default: all]")] = None,
    repo: Repo = Path(REPO),
    keys: KeysOption = None,
    as_json: Json = False,
) -> None:
    """Let a channel have a version that was published before."""
    from coreops.upgrade.channel.publish import promote as run

    before = run(repo, _keys(repo, keys), version, to, board=board, waiting=_waiting)
    if as_json:
        typer.echo(json.dumps({"channel": to, "version": version, "before": before}))
        return
    for one, old in before.items():
        typer.echo(f"{to} for {one}: {old or 'nothing'} -> {version}")


@app.command(epilog="\b\nExamples:\n  coreops channel refresh\n  coreops channel refresh --days 3   (from now on)")
def refresh(
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=3650, help="From now on, keep it fresh for so long.")
    ] = None,
    repo: Repo = Path(REPO),
    keys: KeysOption = None,
    as_json: Json = False,
) -> None:
    """Sign again, so that readers know that the repository is not an old copy. For a timer, once a day.

    Needs the key of timestamp; renews targets and snapshot in time where their keys are too.
    """
    from coreops.upgrade.channel.publish import refresh as run

    ends = run(repo, _keys(repo, keys), days=days, waiting=_waiting)
    if as_json:
        typer.echo(json.dumps({role: when.isoformat() for role, when in ends.items()}))
        return
    for role, when in ends.items():
        typer.echo(f"{role:<9}  good until {when:%Y-%m-%d %H:%M} UTC")


@app.command(
    epilog="\b\nExamples:\n  coreops channel rotate\n  coreops channel rotate timestamp\n  coreops channel rotate root"
)
def rotate(
    roles: Annotated[
        list[str] | None, typer.Argument(metavar="[ROLE]...", help="root, targets, snapshot or timestamp.")
    ] = None,
    repo: Repo = Path(REPO),
    keys: KeysOption = None,
    as_json: Json = False,
) -> None:
    """Replace keys and sign a new root; without a role only renew the root. Pinned roots stay valid.

    Needs the key of root. Take the old keys away afterwards.
    """
    from coreops.upgrade.channel.publish import rotate as run

    pin = run(repo, _keys(repo, keys), roles or (), waiting=_waiting)
    if as_json:
        typer.echo(json.dumps({"root": str(pin.root), "sha256": pin.sha256, "keys": str(pin.keys)}))
        return
    typer.echo(f"new root: {pin.root}\n SHA-256: {pin.sha256}")


@app.command(
    epilog="\b\nExamples:\n  coreops channel show\n  coreops channel show https://example.net/channel --root root.json"
)
def show(place: Place = None, root: Root = None, as_json: Json = False) -> None:
    """Show channels and releases, after verifying them."""
    repository = _open(place, root)
    if as_json:
        told = {
            "name": repository.name,
            "expires": {role: when.isoformat() for role, when in repository.expires.items()},
            "channels": {board: repository.channels(board) for board in repository.boards()},
            "releases": [_object(release) for release in repository.releases()],
        }
        typer.echo(json.dumps(told))
        return
    _table(repository)
    _warn(repository)


@app.command(epilog="\b\nExamples:\n  coreops channel verify\n  coreops channel verify http://ch:8480 --root root.json")
def verify(place: Place = None, root: Root = None, as_json: Json = False) -> int:
    """Read the whole repository as a reader would, every byte of every image. Exit 4 when something is wrong."""
    from coreops.errors import ExitCode, counted
    from coreops.upgrade.channel.verify import verify as run

    repository = _open(place, root)
    with _Bar("reading") as bar:
        findings = run(repository, lambda release, done: bar(done, release.size))
    wrong = [finding for finding in findings if finding.problem]
    if as_json:
        rows = [_object(finding.release) | {"problem": finding.problem} for finding in findings]
        typer.echo(json.dumps({"name": repository.name, "good": not wrong, "releases": rows}))
    else:
        for finding in findings:
            release = finding.release
            typer.echo(f"{release.version} for {release.board}: {finding.problem or 'good'}")
        total = sum(finding.release.size for finding in findings)
        typer.echo(
            f"{counted(len(findings), 'release')}, {_mib(total)}: " + (f"{len(wrong)} wrong" if wrong else "good")
        )
    _warn(repository)
    return ExitCode.REFUSED if wrong else ExitCode.DONE


@app.command(
    epilog="\b\nExamples:\n  coreops channel serve\n  coreops channel serve /srv/channel --host 10.0.0.1 --port 8480"
)
def serve(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The repository's folder.")] = Path(REPO),
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0: any free one.")] = 8480,
) -> None:
    """Serve a repository over HTTP until Ctrl-C. Any static web server does as well; readers trust neither."""
    from coreops.upgrade.channel.serve import server

    with server(folder, host, port, tell=_say) as one:
        typer.echo(one.url)
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            one.serve_forever()


def _open(place: str | None, root: Path | None) -> Repository:
    from coreops.errors import InputError
    from coreops.upgrade.channel.reader import open_channel

    place = place or REPO
    if root is None:
        if "://" in place:
            raise InputError("no root of trust is pinned", where=place, next="pass --root FILE")
        if not Path(place, "metadata").is_dir():
            raise InputError("there is no channel repository", where=place, next="name its folder or URL")
        root = _keys(Path(place), None) / "root.json"
    return open_channel(place, root)


def _warn(repository: Repository) -> None:
    from coreops.upgrade.channel.verify import ends_soon

    for sentence in ends_soon(repository):
        _say(f"note: {sentence}")


def _table(repository: Repository) -> None:
    releases = repository.releases()
    if not releases:
        typer.echo("nothing was published yet")
        return
    rows = [("VERSION", "BOARD", "CHANNELS", "SIZE", "SHA-256", "REMARKS")]
    for release in releases:
        held = [name for name, version in repository.channels(release.board).items() if version == release.version]
        rows.append(
            (
                release.version,
                release.board,
                ",".join(sorted(held)) or "-",
                _mib(release.size),
                release.sha256[:12],
                _remarks(release),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _remarks(release: Release) -> str:
    from coreops.report.text import one_line

    words = [
        f"from {release.min_from}" if release.min_from else "",
        "barrier" if release.barrier else "",
        f"dead end: {release.deadend}" if release.deadend else "",
        release.notes,
    ]
    return one_line("; ".join(word for word in words if word), 60)


def _object(release: Release) -> dict[str, Any]:
    from dataclasses import asdict

    return {key: value for key, value in asdict(release).items() if key != "frames"}


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"


class _Bar:
    """Bytes done, on stderr, where somebody looks."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._live = sys.stderr.isatty()
        self._shown = ""

    def __enter__(self) -> Callable[[int, int], None]:
        return self._tell

    def _tell(self, done: int, total: int) -> None:
        text = f"{self._verb}: {_mib(done)} of {_mib(total)}"
        if self._live and text != self._shown:
            self._shown = text
            typer.echo(f"\r{text}  ", nl=False, err=True)

    def __exit__(self, *_: object) -> None:
        if self._shown:
            typer.echo("\r\033[K", nl=False, err=True)
