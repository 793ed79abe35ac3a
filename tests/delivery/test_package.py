"""Which forms there are, and what each of them refuses."""

from __future__ import annotations

import gzip
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.cloudconfig.platforms.records import find
from coreops.delivery.package import FORMS, package
from coreops.delivery.request import Boot, Part, Request, safe_name
from coreops.errors import InputError

DATA = b"#cloud-config\nhostname: n1\n"
BOOT = Boot("http://h/vmlinuz", ("http://h/initrd",))


def packed(form: str, target: str, platform: str | None = None, data: bytes = DATA) -> dict[str, bytes]:
    place = find(platform) if platform else None
    files = package(form, "n1", data, target, place, url="http://h/x/", metadata={}, boot=BOOT)
    return {file.name: file.data for file in files}


@pytest.mark.parametrize("form", [form for form in FORMS if form != "iso"])
def test_compressed_user_data_is_the_same_package(form: str) -> None:
    assert packed(form, "cloud-init") == packed(form, "cloud-init", data=gzip.compress(DATA))


@given(
    st.sampled_from([form for form in FORMS if form != "iso"]),
    st.sampled_from(["coreos", "cloud-init", "ignition"]),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
)
def test_any_name_makes_files_in_one_folder(form: str, target: str, node: str) -> None:
    try:
        files = package(
            form, node, DATA, target, find("qemu"), url="http://h/x/", metadata={"hostname": node}, boot=BOOT
        )
    except InputError:
        return
    assert all(re.fullmatch(r"[A-Za-z0-9_@:+,=%~-][A-Za-z0-9_.@:+,=%~-]*", file.name, re.ASCII) for file in files)
    assert len({file.name for file in files}) == len(files)


@pytest.mark.parametrize("form", FORMS)
def test_no_form_carries_butane(form: str) -> None:
    with pytest.raises(InputError, match="--target ignition"):
        packed(form, "butane")


def test_an_unknown_form_is_near_a_known_one() -> None:
    with pytest.raises(InputError, match="did you mean 'fw_cfg'"):
        packed("fw-cfg", "ignition")
    with pytest.raises(InputError, match="forms: iso, mime, vmware-guestinfo, ipxe, fw_cfg"):
        packed("", "ignition")


@pytest.mark.parametrize(
    ("form", "target", "next"),
    [
        ("iso", "ignition", "--as fw_cfg for qemu"),
        ("mime", "ignition", "ignition.config.merge"),
        ("fw_cfg", "coreos", "--as iso"),
    ],
)
def test_a_target_that_a_form_is_not_for(form: str, target: str, next: str) -> None:
    with pytest.raises(InputError, match=next):
        packed(form, target)


@pytest.mark.parametrize(
    ("form", "platform"), [("iso", "ec2"), ("vmware-guestinfo", "qemu"), ("ipxe", "gce"), ("fw_cfg", "vmware")]
)
def test_a_platform_that_a_form_is_not_for(form: str, platform: str) -> None:
    with pytest.raises(InputError, match=f"not for the platform {platform}") as caught:
        packed(form, "cloud-init", platform)
    assert caught.value.why is not None
    assert find(platform).user_data.text in caught.value.why


def test_only_a_message_has_parts() -> None:
    with pytest.raises(InputError, match="--as mime"):
        package("iso", "n1", DATA, "coreos", None, metadata={}, parts=[Part("a", b"#!/bin/sh\n")])


def test_changed_user_data_is_a_new_instance() -> None:
    one = Request(node="n1.example", data=DATA, target="cloud-init")
    other = Request(node="n1.example", data=DATA + b"#\n", target="cloud-init")
    assert one.nocloud() == Request(node="n1.example", data=DATA, target="cloud-init").nocloud()
    assert one.nocloud() != other.nocloud()
    assert b'"local-hostname": "n1"' in one.nocloud()


@pytest.mark.parametrize(
    ("name", "safe"),
    [("n1", "n1"), (".n1", "%2En1"), ("a/b c", "a%2Fb%20c"), ("a\nb", "a%0Ab"), ("ü", "%C3%BC"), ("..", "%2E.")],
)
def test_names_of_files(name: str, safe: str) -> None:
    assert safe_name(name) == safe
