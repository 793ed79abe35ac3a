"""Who is behind: every host compared with what its channel has. Pure; no host is left out (invariant I9)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from coreops.errors import CoreopsError, ExitCode, InputError, UnreachableError, counted
from coreops.upgrade.observation import Observation
from coreops.upgrade.release import Release
from coreops.upgrade.version import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One host. well: nothing is left to do. behind: how many releases; None: it cannot be told. what: in words."""

    host: str
    version: str = ""
    slot: str = ""
    wanted: str = ""
    behind: int | None = None
    well: bool = False
    reachable: bool = True
    what: tuple[str, ...] = ()


def audit(
    seen: Mapping[str, Observation | CoreopsError],
    wanted: Mapping[str, str],
    releases: Sequence[Release] = (),
    denied: Collection[str] = (),
) -> tuple[Row, ...]:
    """One row for each host. wanted: board -> version; {}: what most of the fleet could have, its newest version."""
    found = {host: one for host, one in seen.items() if isinstance(one, Observation)}
    return tuple(
        _row(host, one, _wanted(one, wanted, found), releases, denied)
        if isinstance(one, Observation)
        else _missing(host, one)
        for host, one in seen.items()
    )


def exit_code(rows: Sequence[Row]) -> ExitCode:
    """1 when a host that answered is not well, 3 when the only trouble is that hosts do not answer."""
    bad = [row for row in rows if not row.well]
    if not bad:
        return ExitCode.DONE
    return ExitCode.FAILED if any(row.reachable for row in bad) else ExitCode.UNREACHABLE


def _missing(host: str, error: CoreopsError) -> Row:
    reachable = not isinstance(error, UnreachableError)
    what = error.what if reachable else f"unreachable: {error.what}"
    return Row(host=host, reachable=reachable, what=(f"{what} ({error.why})" if error.why else what,))


def _wanted(one: Observation, wanted: Mapping[str, str], found: Mapping[str, Observation]) -> str:
    if wanted:
        return wanted.get(one.board, "")
    peers = [other.version for other in found.values() if other.board == one.board and _readable(other.version)]
    return max(peers, key=parse, default="")


def _row(host: str, one: Observation, wanted: str, releases: Sequence[Release], denied: Collection[str]) -> Row:
    behind = _behind(one, wanted, releases)
    what = []
    if not wanted:
        what.append(f"the channel has nothing for its board {one.board}")
    elif behind is None:
        what.append(f"{one.version or 'its version'} cannot be compared with {wanted}")
    elif behind > 0:
        what.append(f"behind by {counted(behind, 'release')}")
    elif behind < 0:
        what.append("newer than the channel")
    what += [f"{version} is denied" for version in sorted({one.version, wanted} & set(denied)) if version]
    if one.ticket is not None:
        what.append(f"in the middle of an upgrade to {one.ticket.version} (run {one.ticket.run}): coreops resume")
    elif one.next and one.next != one.slot:
        what.append(f"reboot pending: {one.next} boots next")
    elif not one.good:
        what.append("its slot is not marked good")
    if one.drained:
        what.append("drained")
    if one.cordoned:
        what.append("cordoned by the operator")
    what += one.blockers
    well = (
        behind is not None
        and behind <= 0
        and one.ticket is None
        and one.good
        and not one.drained
        and one.next == one.slot
    )
    well = well and one.version not in denied
    return Row(host=host, version=one.version, slot=one.slot, wanted=wanted, behind=behind, well=well, what=tuple(what))


def _behind(one: Observation, wanted: str, releases: Sequence[Release]) -> int | None:
    """How many releases lie between what runs and what is wanted; negative when it runs something newer."""
    if not wanted or not _readable(one.version):
        return None
    runs, goal = parse(one.version), parse(wanted)
    if runs == goal:
        return 0
    if runs > goal:
        return -1
    known = {release.version for release in releases if release.board == one.board}
    return max(1, sum(runs < parse(version) <= goal for version in known))


def _readable(version: str) -> bool:
    try:
        parse(version)
    except InputError:
        return False
    return True
