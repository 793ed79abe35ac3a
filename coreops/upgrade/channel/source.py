"""Where a repository is read from: a folder, or a static HTTP(S) server. Bytes by path; nothing here is trusted.

An HTTP source follows redirects only to the scheme it was given, takes no compressed answers and does not wait long.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from coreops.errors import CoreopsError, InputError, did_you_mean
from coreops.upgrade.authorities import authorities

if TYPE_CHECKING:
    import httpx

CHUNK = 1 << 20
_REDIRECTS = 5
_SILENCE = 30.0
_SCHEMES = ("http", "https", "file")


class NotThere(CoreopsError):
    """The source has no such file."""


class Source(Protocol):
    """name: for people; without a password."""

    name: str

    def read(self, path: str, offset: int = 0) -> Iterator[bytes]:
        """The bytes of a file from ``offset`` on. Raises NotThere, or CoreopsError when it cannot be reached."""
        ...


def source(place: str | Path) -> Source:
    """The source that a URL or a path names. Raises InputError."""
    text = str(place)
    if "://" not in text:
        return Folder(Path(text))
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise InputError("this is not a URL", where=text.rpartition("@")[2], why=str(error)) from error
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Folder(Path(unquote(parts.path)))
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(
            f"{_without_password(text)!r} is not the URL of a channel repository",
            next=did_you_mean(parts.scheme, _SCHEMES) or "use http://, https://, file:/// or the path of a folder",
        )
    if parts.query or parts.fragment:
        raise InputError(
            "the URL of a channel repository has no ? and no #",
            where=_without_password(text),
            next="the repository's files lie below the URL, like below a folder",
        )
    return Http(text)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class Folder:
    """A repository on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = str(folder)

    def read(self, path: str, offset: int = 0) -> Iterator[bytes]:
        """See Source."""
        file = self.folder / path
        if not file.is_file():
            raise NotThere(f"there is no {path}", where=self.name)
        try:
            with file.open("rb") as stream:
                stream.seek(offset)
                while chunk := stream.read(CHUNK):
                    yield chunk
        except OSError as error:
            raise CoreopsError(f"{path} cannot be read", where=self.name, why=error.strerror) from error


class Http:
    """A repository on a static server."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._scheme = urlsplit(url).scheme
        self.name = _without_password(self._url)

    def read(self, path: str, offset: int = 0) -> Iterator[bytes]:
        """See Source. A server that knows no ranges sends all; what is too much of it is left out here."""
        import httpx

        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
        try:
            with httpx.Client(verify=authorities(), timeout=_SILENCE, headers=headers) as client:
                yield from self._answer(client, path, offset)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise CoreopsError(
                "the channel repository cannot be read",
                where=self.name,
                why=f"{path}: {error or type(error).__name__}",
                next="check the URL and the network, then run the command again; a download continues where it stopped",
            ) from error

    def _answer(self, client: httpx.Client, path: str, offset: int) -> Iterator[bytes]:
        import httpx

        request = client.build_request("GET", f"{self._url}/{quote(path)}")
        for _ in range(_REDIRECTS):
            answer = client.send(request, stream=True)
            try:
                if answer.next_request is None:
                    yield from self._body(answer, path, offset)
                    return
                request = answer.next_request
            finally:
                answer.close()
            if request.url.scheme != self._scheme:
                raise httpx.TooManyRedirects(f"the server sends us to {request.url.scheme}://, which is not followed")
        raise httpx.TooManyRedirects(f"more than {_REDIRECTS} redirects")

    def _body(self, answer: httpx.Response, path: str, offset: int) -> Iterator[bytes]:
        import httpx

        if answer.status_code in (403, 404, 410):
            raise NotThere(f"there is no {path} ({answer.status_code})", where=self.name)
        if offset and answer.status_code == 416:
            return
        if answer.status_code not in (200, 206) or answer.headers.get("Content-Encoding", "identity") != "identity":
            raise httpx.RequestError(f"the server answers {answer.status_code} {answer.reason_phrase}".rstrip())
        if answer.status_code == 206 and not answer.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            raise httpx.RequestError(f"the server sends another range than bytes {offset}-")
        skip = offset if answer.status_code == 200 else 0
        for chunk in answer.iter_raw():  # as it comes: what is gathered is lost when the connection breaks
            if skip < len(chunk):
                yield chunk[skip:]
            skip = max(0, skip - len(chunk))
