"""What a refusal of TUF means to the operator: which attack it looks like, which harmless cause, what to do."""

from __future__ import annotations

from dataclasses import dataclass

from tuf.api import exceptions as tuf
from tuf.api.serialization import DeserializationError

from coreops.errors import CoreopsError, InputError, RefusedError

_UNTOUCHED = "no node was touched"


@dataclass(frozen=True, slots=True)
class _Meaning:
    what: str
    why: str
    next: str


# The first class that fits counts.
_MEANINGS: dict[type[Exception], _Meaning] = {
    tuf.ExpiredMetadataError: _Meaning(
        "the channel's metadata has expired",
        "a server kept at an old state looks like this (freeze attack), and so does a publisher who stopped signing",
        "on the publisher's machine: coreops channel refresh (when it says that root expired: coreops channel rotate); "
        "here: check the clock",
    ),
    tuf.BadVersionNumberError: _Meaning(
        "the channel's metadata is older than what was seen before",
        "a server that is put back to an old state looks like this (rollback attack), and so does a restored backup",
        "ask the publisher which state is right; publishing or refreshing from the newest state mends it",
    ),
    tuf.UnsignedMetadataError: _Meaning(
        "the channel's metadata is not signed by the keys that the pinned root names",
        "somebody altered it, or this is another repository than the root was pinned for",
        "compare the URL and the SHA-256 of the pinned root with what the publisher says",
    ),
    tuf.LengthOrHashMismatchError: _Meaning(
        "the channel's metadata does not fit together",
        "somebody altered it or mixed files of different states (mix-and-match attack), or a mirror is half copied",
        "try again when the mirror is complete; compare with coreops channel verify on the publisher's machine",
    ),
    tuf.DownloadLengthMismatchError: _Meaning(
        "the channel's server sends more than it may",
        "a server that never stops sending looks like this (endless data attack)",
        "check what answers at this URL",
    ),
    tuf.SlowRetrievalError: _Meaning(
        "the channel's server is too slow",
        "a server that sends a byte now and then looks like this (slow retrieval attack)",
        "check the network, then run the command again",
    ),
    DeserializationError: _Meaning(
        "the channel's metadata cannot be read",
        "somebody altered it, or it was damaged on the way",
        "compare with coreops channel verify on the publisher's machine",
    ),
    tuf.RepositoryError: _Meaning(
        "the channel's metadata is wrong",
        "somebody altered it, or it was made by another program",
        "compare with coreops channel verify on the publisher's machine",
    ),
}


def told(error: Exception, name: str, path: str) -> CoreopsError:
    """``error`` of TUF, met while reading ``path`` of the repository ``name``, for the operator."""
    if isinstance(error, tuf.DownloadHTTPError):
        return missing(name, path)
    for kind, meaning in _MEANINGS.items():
        if isinstance(error, kind):
            why = f"{path}: {error}; {meaning.why}; {_UNTOUCHED}"
            return RefusedError(meaning.what, where=name, why=why, next=meaning.next)
    cause = error.__cause__
    if isinstance(cause, CoreopsError):
        return cause
    return CoreopsError("the channel repository cannot be read", where=name, why=f"{path}: {error}")


def missing(name: str, path: str) -> CoreopsError:
    """A file that the repository should have."""
    if path.endswith("/timestamp.json"):
        return InputError(
            "there is no channel repository",
            where=name,
            why=f"it has no {path}",
            next="check the URL or path; coreops channel init makes a repository",
        )
    return RefusedError(
        "the channel repository is not complete",
        where=name,
        why=f"{path} is missing: a mirror is half copied, or somebody holds it back; {_UNTOUCHED}",
        next="try again when the mirror is complete",
    )
