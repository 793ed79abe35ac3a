"""What a publisher does to a repository: make it, publish a release, move a channel, sign again, replace keys.

Every one is all or nothing for readers, may be repeated, and waits for other publishers of the same repository.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.metadata import Root

from coreops.errors import InputError, did_you_mean
from coreops.upgrade.channel import book, custom, files, look
from coreops.upgrade.channel.book import DAYS, Book, opened
from coreops.upgrade.channel.keys import ROLES, Keys, check_apart
from coreops.upgrade.channel.pack import CodecChoice, Tell, pack
from coreops.upgrade.channel.trust import METADATA, target_path
from coreops.upgrade.release import Release
from coreops.upgrade.version import compare, parse

Waiting = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Pin:
    """What a reader needs once, by a way he trusts."""

    root: Path
    sha256: str
    keys: Path


@dataclass(frozen=True, slots=True)
class Published:
    """notes: what could not be checked, one sentence each. again: the same image was published before."""

    release: Release
    notes: tuple[str, ...]
    again: bool = False


def init(folder: Path, keys: Path, days: Mapping[str, int] | None = None, now: datetime | None = None) -> Pin:
    """Make an empty repository and its keys. days: role -> how long a signature is good for."""
    check_apart(folder, keys)
    timestamp = folder / METADATA / "timestamp.json"
    if timestamp.exists() or (keys / "root.json").exists():
        raise InputError(
            "this is a channel repository already"
            if timestamp.exists()
            else "these keys belong to a repository already",
            where=folder if timestamp.exists() else keys,
            next="publish into it, or name another folder",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("the folder cannot be made", where=folder, why=error.strerror, next="name another") from error
    held = Keys(keys)
    with files.locked(folder):
        root = Root(consistent_snapshot=True)
        signers = {role: [held.create(role)] for role in ROLES}
        for role in ROLES:
            root.add_key(signers[role][0].public_key, role)
        trusted = book.first(folder, root, DAYS | dict(days or {}), now)
        for role in ROLES:
            book.link(trusted, role)
            book.sign(getattr(trusted, role), signers[role])
            data = book.put_metadata(folder, getattr(trusted, role))
            if role == "root":
                pinned = data
        held.pin(pinned)
    return Pin(folder / METADATA / "1.root.json", hashlib.sha256(pinned).hexdigest(), keys)


def publish(
    folder: Path,
    keys: Path,
    usr_image: Path,
    *,
    version: str,
    channel: str,
    board: str,
    kernel: Path | None = None,
    min_from: str = "",
    barrier: bool = False,
    deadend: str = "",
    notes: str = "",
    codec: CodecChoice = "auto",
    tell: Tell = lambda done, total: None,
    waiting: Waiting = lambda: None,
    now: datetime | None = None,
) -> Published:
    """Pack an image and let ``channel`` have it. Publishing the same image again changes what is said about it."""
    parse(version)
    custom.check_name("channel", channel)
    custom.check_name("board", board)
    if min_from and compare(min_from, version) >= 0:
        raise InputError(
            f"min_from {min_from} is not older than {version}", next="name the oldest version to come from"
        )
    unchecked = look.check(usr_image, version, board)
    with opened(folder, Keys(keys), waiting) as state:
        state.signers("targets")  # a missing key is told before the work, not after it
        target = custom.target_of(version, board)
        place = (folder / target_path("", target)).parent
        place.mkdir(parents=True, exist_ok=True)
        with files.open_new(place) as stream:
            packed = pack(usr_image, kernel, stream, codec=codec, tell=tell)
            release = Release(
                version=version,
                board=board,
                target=target,
                min_from=min_from,
                barrier=barrier,
                deadend=deadend,
                notes=notes,
                **asdict(packed),
            )
            before = _published_before(state, release)
            if before is None:
                files.settle(stream, folder / target_path(release.sha256, target))
            else:
                release = _with_words_of(before, release)
        state.put_target(target, release.size, release.sha256, custom.encode(release))
        state.put_channels(state.channels().moved(channel, board, version))
        state.commit("targets", now=now)
    return Published(release, unchecked, before is not None)


def _published_before(state: Book, release: Release) -> Release | None:
    before = next((one for one in state.releases() if one.target == release.target), None)
    if before is None:
        return None
    same = (before.usr_sha256, before.kernel_sha256) == (release.usr_sha256, release.kernel_sha256)
    if not same:
        raise InputError(
            f"{release.version} for {release.board} was published with another content",
            where=state.folder,
            why="nodes that run it could not be told from those that do not",
            next="give the new image a new version",
        )
    return before


def _with_words_of(before: Release, now: Release) -> Release:
    """The image that is there already, with what is said about it now."""
    return replace(before, min_from=now.min_from, barrier=now.barrier, deadend=now.deadend, notes=now.notes)


def promote(
    folder: Path,
    keys: Path,
    version: str,
    to: str,
    *,
    board: str | None = None,
    waiting: Waiting = lambda: None,
    now: datetime | None = None,
) -> dict[str, str]:
    """Let a channel have a version that was published, for a board or all that have it; returns board -> before."""
    custom.check_name("channel", to)
    with opened(folder, Keys(keys), waiting) as state:
        state.signers("targets")
        known = state.releases()
        boards = [one.board for one in known if one.version == version and board in (None, one.board)]
        if not boards:
            words = sorted({one.version for one in known if board in (None, one.board)}, key=parse)
            raise InputError(
                f"{version} was not published" + (f" for {board}" if board else ""),
                where=folder,
                why=f"releases: {', '.join(words)}" if words else "nothing was published",
                next=did_you_mean(version, words),
            )
        channels = before = state.channels()
        for one in boards:
            channels = channels.moved(to, one, version)
        state.put_channels(channels)
        state.commit("targets", now=now)
    return {one: before.boards.get(one, {}).get(to, "") for one in boards}


def refresh(
    folder: Path, keys: Path, *, days: int | None = None, waiting: Waiting = lambda: None, now: datetime | None = None
) -> dict[str, datetime]:
    """Sign the timestamp again, and what would expire within a third of its life where the key is here.

    days: from now on the timestamp is good for that long. Returns role -> when its metadata expires.
    """
    with opened(folder, Keys(keys), waiting) as state:
        root = state.trusted.root.signed
        soon = [role for role in ("targets", "snapshot") if _is_old(getattr(state.trusted, role).signed, now)]
        first = next((role for role in soon if state.keys.has(root, ROLES[ROLES.index(role) :])), "timestamp")
        if days:
            book.renew(state.trusted.timestamp.signed, now, days)
        state.commit(first, now=now)
        return {role: getattr(state.trusted, role).signed.expires for role in ROLES}


def _is_old(signed: object, now: datetime | None) -> bool:
    left = signed.expires - (now or datetime.now(UTC))  # type: ignore[attr-defined]
    return bool(left < book.life(signed) / 3)


def rotate(
    folder: Path, keys: Path, roles: Sequence[str], *, waiting: Waiting = lambda: None, now: datetime | None = None
) -> Pin:
    """Replace the keys of these roles and sign a new root; no roles: only renew the root. Needs the key of root.

    First everything is signed with old and new keys, then the root names the new ones: readers see no gap.
    """
    for role in roles:
        if role not in ROLES:
            raise InputError(
                f"there is no role {role!r}", why=f"roles: {', '.join(ROLES)}", next=did_you_mean(role, ROLES)
            )
    with opened(folder, Keys(keys), waiting) as state:
        root = state.trusted.root.signed
        signers = state.keys.signers(root, "root")
        others = [role for role in dict.fromkeys(roles) if role != "root"]
        chosen = book.following(others) if others else ()
        for role in chosen:
            if role not in others:
                state.keys.signers(root, role)
        new = {role: state.keys.create(role) for role in dict.fromkeys(roles)}
        # A key that was lost cannot sign; then everything is signed after the root, and readers are refused in between.
        lost = not state.keys.has(root, chosen)
        if others and not lost:
            state.commit(*others, now=now, also={role: [new[role]] for role in others})
        for role, signer in new.items():
            for keyid in list(root.roles[role].keyids):
                root.revoke_key(keyid, role)
            root.add_key(signer.public_key, role)
        root.version += 1
        book.renew(root, now)
        metadata = state.trusted.root
        metadata.signed = root
        book.sign(metadata, [*signers, *([new["root"]] if "root" in new else ())])
        data = book.put_metadata(folder, metadata)
        if lost:
            state.commit(*others, now=now)
    return Pin(folder / METADATA / f"{root.version}.root.json", hashlib.sha256(data).hexdigest(), keys)
