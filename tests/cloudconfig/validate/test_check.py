"""What the validator promises for any input, and traps that no file shows well."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreops.cloudconfig.platforms.records import PLATFORMS
from coreops.cloudconfig.validate.check import check
from coreops.cloudconfig.validate.header import MOST
from coreops.cloudconfig.validate.keys import CLOUD_CONFIG, Key

HEADER = "#cloud-config\n"
PARTS = (
    "coreos etcd2 units write_files write-files name path content enable users on 0644 b64 encoding &a *a !x é 😀 % "
    "[ ] { } ' # \" \\ \ufeff $private_ipv4 \\$public_ipv4x ${"
)
BREAKS = ("- ", ": ", "\n", "\n  ", "\n- ", "|\n", "<<: ", "\t", "\r\n", "---\n")
WORDS = st.sampled_from(PARTS.split(" ")) | st.sampled_from(BREAKS)


def rules(text: str, platform: str | None = None) -> set[str]:
    return {finding.rule for finding in check(text.encode(), "f", PLATFORMS[platform] if platform else None)}


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300) | st.lists(WORDS, max_size=40).map(lambda words: (HEADER + "".join(words)).encode()))
def test_nothing_gets_it_to_raise(data: bytes) -> None:
    lines = data.count(b"\n") + data.count(b"\r") + 1
    for finding in check(data, "f", PLATFORMS["ec2"]):
        assert finding.rule
        assert 1 <= finding.at.line <= max(lines, 1) + data.count(b"\xc2\x85") + data.count(b"\xe2\x80") + 1
        assert finding.at.column >= 1


def wrong(key: Key) -> st.SearchStrategy[str]:
    """A value, in YAML's flow style, for a key: sometimes of its type, sometimes of none."""
    return st.sampled_from(
        ["", "x", "'off'", "off", "12", "1.5", "[a, [b]]", "{a: b}", "[{name: x}]", "true", "2001-01-01"]
    )


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_every_key_takes_every_value_without_a_crash(data: st.DataObject) -> None:
    section = data.draw(st.sampled_from(sorted(CLOUD_CONFIG.keys["coreos"].keys)))
    keys = CLOUD_CONFIG.keys["coreos"].keys[section].keys or {"x": Key("text")}
    name = data.draw(st.sampled_from(sorted(keys)))
    value = data.draw(wrong(keys[name]))
    found = check(f"{HEADER}coreos:\n  {section}:\n    {name}: {value}\n".encode(), "f")
    assert not any(finding.unreadable for finding in found)


def test_hyphens_are_underscores_at_every_level() -> None:
    text = f"{HEADER}write-files:\n  - path: /usr/a\nssh-authorized-keys: [a]\n"
    assert rules(text) == {"read-only"}


def test_gzip_is_looked_into() -> None:
    assert [finding.rule for finding in check(gzip.compress(f"{HEADER}hostname: [a]\n".encode()), "f")] == ["type"]


def test_a_gzip_bomb_and_a_huge_file_are_refused() -> None:
    for data in (gzip.compress(b"\0" * (MOST + 1)), b"x" * (MOST + 1)):
        (finding,) = check(data, "f")
        assert finding.unreadable
        assert "more than 10 MiB" in finding.message


def test_half_a_gzip_file_is_refused() -> None:
    (finding,) = check(gzip.compress(b"#cloud-config\n" * 99)[:-9], "f")
    assert finding.message == "not valid gzip"


@pytest.mark.slow
def test_a_bomb_inside_content_is_refused() -> None:
    import base64

    bomb = base64.b64encode(gzip.compress(b"\0" * (65 << 20))).decode()
    text = f"{HEADER}write_files:\n  - path: /a\n    encoding: gz+b64\n    content: {bomb}\n"
    (finding,) = check(text.encode(), "f")
    assert "more than 64 MiB" in finding.why


def test_merge_keys_do_not_multiply() -> None:
    levels = "".join(f"x{n}: &x{n}\n  <<: [*x{n - 1}, *x{n - 1}]\n" for n in range(1, 30))
    assert rules(f"{HEADER}x0: &x0 {{hostname: a}}\n{levels}") <= {"unknown-key", "read"}


def test_the_last_of_a_duplicate_key_counts() -> None:
    assert rules(f"{HEADER}hostname: a\nhostname: [b]\n") == {"duplicate-key", "type"}


def test_a_substitution_in_a_comment_does_no_harm() -> None:
    assert rules(f"{HEADER}hostname: a # $private_ipv4\n", "qemu") == set()
    assert rules(f"{HEADER}hostname: $private_ipv4 # x\n", "qemu") == {"substitution"}
    # a comment of a script inside content is text like any other
    assert rules(f"{HEADER}write_files:\n- path: /a\n  content: |\n    # $private_ipv4\n", "qemu") == {"substitution"}


def test_non_ascii_text_does_not_move_positions() -> None:
    (finding,) = check(f"{HEADER}hostname: éé😀-$private_ipv4\n".encode(), "f", PLATFORMS["qemu"])
    assert str(finding.at) == "f:2:15"


def test_a_position_is_read_back_from_a_file_name_with_colons() -> None:
    (finding,) = check(f"{HEADER}a: [\n".encode(), "odd:12:3.yml")
    assert finding.unreadable
    assert finding.at.file == "odd:12:3.yml"
    assert finding.at.line >= 2
