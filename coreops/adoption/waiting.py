"""Who registered with a discovery server and waits to be adopted: from its ledger to candidates. Reads the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coreops.adoption.candidate import Candidate
from coreops.discovery.ledger import Ledger
from coreops.errors import InputError, did_you_mean
from coreops.identity import identity


def waiting(path: Path, cluster: str | None, known: Mapping[str, Mapping[str, Any]]) -> tuple[Candidate, ...]:
    """The machines of one cluster's token that are not known at the address where they are. Raises InputError."""
    with Ledger(path, make=False) as ledger:
        heard = {token: ledger.hellos(token.token) for token in ledger.all() if not token.replaced}
    if cluster is not None:
        chosen = [token for token in heard if cluster in (token.cluster, token.id)]
        if not chosen:
            near = did_you_mean(cluster, [token.cluster for token in heard if token.cluster])
            raise InputError(f"no cluster {cluster!r}", where=path, next=near or "coreops discovery list")
    else:
        chosen = [token for token, hellos in heard.items() if hellos]
    if len(chosen) > 1:
        names = ", ".join(token.cluster or token.id for token in chosen)
        raise InputError(
            "machines of several clusters have registered", where=path, why=names, next="say which with --cluster"
        )
    home = {(each["id"], address) for each in known.values() for address in each["addresses"].values()}
    return tuple(
        Candidate(hello.peer, told=identity.parse(hello.text))
        for token in chosen
        for hello in heard[token]
        if (hello.machine, hello.peer) not in home
    )
