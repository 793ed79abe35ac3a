"""URLs: what a machine is told, what is to be served there, and what no machine can fetch."""

from __future__ import annotations

import base64
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.delivery.cmdline import arguments
from coreops.delivery.request import Request
from coreops.delivery.seed import served
from coreops.errors import InputError
from tests.delivery.programs import ask_cloud_init

DATA = b"#cloud-config\nhostname: n1\n"


def request(target: str, url: str | None, node: str = "n1") -> Request:
    return Request(node=node, data=DATA, target=target, url=url)


@pytest.mark.parametrize(("target", "name"), [("coreos", "n1.yaml"), ("ignition", "n1.ign")])
def test_a_folder_holds_the_file(target: str, name: str) -> None:
    url, (file,) = served(request(target, "http://h:8080/a/"))
    assert (url, file.name, file.data) == (f"http://h:8080/a/{name}", name, DATA)


def test_the_url_of_a_strange_name_leads_to_its_file() -> None:
    url, (file,) = served(request("ignition", "http://h/", "a b/ü,%"))
    assert unquote(urlsplit(url).path) == f"/{file.name}"


def test_an_address_is_told_as_it_is() -> None:
    assert served(request("coreos", "https://h/cloud-config?mac=a;b")) == ("https://h/cloud-config?mac=a;b", ())
    assert served(request("cloud-init", "http://h/%s?mac=a")) == ("http://h/%s?mac=a", ())


@pytest.mark.parametrize(
    ("target", "url", "says"),
    [
        ("coreos", None, "--url"),
        ("coreos", "", "not a URL"),
        ("coreos", "h/x/", "not a URL"),
        ("coreos", "htp://h/", "did you mean 'http'"),
        ("coreos", "tftp://h/", "schemes: http, https"),
        ("coreos", "http:///x", "not a URL"),
        ("coreos", "http://[::1/", "not a URL"),
        ("coreos", "http://h:web/", "not a URL"),
        ("coreos", "http://h:99999/", "not a URL"),
        ("coreos", "http://u:secret@h/", "every process"),
        ("coreos", "http://h/a b/", "%20"),
        ("coreos", "http://h/a\nb/", "write it as %0A"),
        ("coreos", "http://h/ü/", "%C3%BC"),
        ("coreos", 'http://h/"/', "%22"),
        ("coreos", "http://h/#x", "%23"),
        ("coreos", "http://h/${uuid}", "%7B"),
        ("cloud-init", "http://h/x", "%s"),
        ("cloud-init", "http://h/a;b/", "%3B"),
        ("cloud-init", "http://h/a%20b/", "every % counts"),
    ],
)
def test_what_cannot_be_fetched(target: str, url: str | None, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        served(request(target, url))
    assert "secret" not in str(caught.value)


@given(
    st.sampled_from(["coreos", "cloud-init", "ignition"]),
    st.sampled_from(["", "http://h", "http://h/", "https://[", "tftp://"]),
    st.text(max_size=12),
    st.sampled_from(["", "/"]),
    st.booleans(),
)
def test_any_text_is_one_word_or_refused(target: str, begin: str, text: str, end: str, settings: bool) -> None:
    try:
        url, _ = served(request(target, begin + text + end), settings=settings)
    except InputError:
        return
    assert url.isascii()
    assert len(url.split()) == 1
    assert not set(url) & set('"\\<>^`|')


def test_a_name_that_no_seed_can_have() -> None:
    with pytest.raises(InputError, match="letters, digits"):
        served(request("cloud-init", "http://h/", "a b"))


def test_cloud_init_finds_the_url_among_the_arguments(tmp_path: Path) -> None:
    url, _ = served(request("cloud-init", "http://h:8080/a/?x=$y/"))
    line = " ".join(["console=ttyS0", *arguments("cloud-init", url), "quiet"])
    assert ask_cloud_init(tmp_path, "arguments", line) == {"seedfrom": url}


def test_cloud_init_fetches_the_folder(tmp_path: Path) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url, files = served(request("cloud-init", f"http://127.0.0.1:{server.server_port}/"))
            for file in files:
                (tmp_path / file.name).write_bytes(file.data)
            meta, user, vendor, seconds = ask_cloud_init(tmp_path, "seed", url)
        finally:
            server.shutdown()
            thread.join()
    assert base64.b64decode(user) == DATA
    assert meta["local-hostname"] == "n1"
    assert vendor == ""
    assert seconds < 5, "it asks again and again for what is not there"
