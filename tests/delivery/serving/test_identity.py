"""Names of machines in one spelling."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.delivery.serving.identity import KINDS, Kind, check, spelled, swapped


@pytest.mark.parametrize(
    "text",
    [
        "52:54:00:ab:cd:ef",
        "52-54-00-AB-CD-EF",
        "525400abcdef",
        "5254.00AB.CDEF",
        " 52:54:00:ab:cd:ef\n",
        "01-52-54-00-ab-cd-ef",
    ],
)
def test_every_spelling_of_a_mac(text: str) -> None:
    assert spelled("mac", text) == "52:54:00:ab:cd:ef"


@pytest.mark.parametrize(
    "text", ["", "52:54:00:ab:cd", "52:54:00:ab:cd:eg", "02-52-54-00-ab-cd-ef", "0" * 12, "५२५४००abcdef"]
)
def test_what_is_no_mac(text: str) -> None:
    assert spelled("mac", text) is None


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("mac", 41135754000, "quote it"),
        ("serial", 42, "quote it"),
        ("mac", "01:00:5e:00:00:01", "group address"),
        ("mac", "52:54", "no MAC address"),
        ("mac", "ff:ff:ff:ff:ff:ff", "placeholder"),
        ("uuid", "03000200-0400-0500-0006-000700080009", "placeholder"),
        ("uuid", "n1", "no UUID"),
        ("serial", "To be filled by O.E.M.", "placeholder"),
        ("serial", "", "no serial number"),
        ("serial", "a\nb", "no serial number"),
        ("serial", "x" * 257, "no serial number"),
        ("ip", "n1.example.net", "no address"),
    ],
)
def test_what_an_operator_must_not_write(kind: Kind, value: object, said: str) -> None:
    assert said in (check(kind, value) or "")


def test_good_names_are_good() -> None:
    assert check("mac", "52:54:00:12:34:56") is None
    assert check("uuid", "{00112233-4455-6677-8899-AABBCCDDEEFF}") is None
    assert check("serial", "SN 0042") is None
    assert check("ip", "2001:db8::1") is None


def test_addresses_have_one_spelling() -> None:
    assert spelled("ip", "::ffff:192.0.2.1") == "192.0.2.1"
    assert spelled("ip", "2001:DB8:0::1") == "2001:db8::1"
    assert spelled("ip", "fe80::1%eth0") == "fe80::1"


@given(st.uuids())
def test_the_other_byte_order_is_that_of_smbios(value: uuid.UUID) -> None:
    assert swapped(str(value)) == str(uuid.UUID(bytes=value.bytes_le))
    assert swapped(swapped(str(value))) == str(value)


@given(st.sampled_from(KINDS), st.text())
def test_anything_may_be_said_and_a_name_is_a_fixed_point(kind: Kind, text: str) -> None:
    found = spelled(kind, text)
    assert found is None or spelled(kind, found) == found
    assert (check(kind, text) is None) <= (found is not None)
