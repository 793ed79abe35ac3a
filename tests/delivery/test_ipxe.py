"""Boot scripts: what iPXE hands to the kernel, by a model of its parser and by iPXE itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.delivery.ipxe import script
from coreops.delivery.package import package
from coreops.delivery.request import Boot
from coreops.errors import InputError
from tests.delivery.programs import ask_cloud_init, boot

BOOT = Boot("vmlinuz", ("initrd", "http://h/more?a=b"), ("console=ttyS0", "root=LABEL=ROOT"))
SETTINGS = {"net0/mac": "52:54:00:12:34:56", "uuid": "00000000-0000-0000-0000-000000000000"}


def commands(script: str) -> list[list[str]]:
    """The commands as iPXE reads them: its src/image/script.c and src/core/exec.c in few lines."""
    found: list[list[str]] = []
    for line in script.replace("\\\n", "").split("\n"):
        command: list[str] = []
        for word in line.split():
            if word.startswith("#"):
                break
            if word in (";", "&&", "||"):
                found.append(command)
                command = []
                continue
            command.append(re.sub(r"\$\{([^{}]*)\}", lambda setting: SETTINGS.get(setting[1], ""), word))
        found.append(command)
    return [command for command in found if command]


def test_a_script() -> None:
    made = script("ignition", "http://h/n1.ign", BOOT, "n1")
    assert made.startswith("#!ipxe\n# n1\n")
    told = "flatcar.first_boot=1 ignition.config.url=http://h/n1.ign console=ttyS0 root=LABEL=ROOT"
    assert commands(made) == [
        ["kernel", "vmlinuz", "initrd=initrd", "initrd=initrd1", *told.split()],
        ["initrd", "--name", "initrd", "initrd"],
        ["initrd", "--name", "initrd1", "http://h/more?a=b"],
        ["boot"],
    ]


@pytest.mark.parametrize("target", ["coreos", "cloud-init", "ignition"])
def test_a_folder_is_all_that_has_to_be_served(target: str) -> None:
    files = package("ipxe", "n1", b"#cloud-config\n", target, None, url="http://h/", metadata={}, boot=BOOT)
    names = {"coreos": ["n1.yaml"], "ignition": ["n1.ign"], "cloud-init": ["n1.user-data", "n1.meta-data"]}
    assert [file.name for file in files][: 1 + len(names[target])] == ["n1.ipxe", *names[target]]


def test_settings_of_ipxe_stay() -> None:
    (file,) = package(
        "ipxe", "n1", b"", "ignition", None, url="http://h/ignition?mac=${net0/mac}&u=${uuid}", metadata={}, boot=BOOT
    )
    (line, *_) = commands(file.data.decode())
    assert f"ignition.config.url=http://h/ignition?mac={SETTINGS['net0/mac']}&u={SETTINGS['uuid']}" in line


def test_no_kernel() -> None:
    with pytest.raises(InputError, match="--kernel"):
        package("ipxe", "n1", b"", "ignition", None, url="http://h/", metadata={})


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("", "empty"),
        ("a b", "blanks"),
        ("a\tb", "blanks"),
        ("a\nb", "blanks"),
        ("ü", "ASCII"),
        ('a="b', "quote"),
        (";", "ends"),
        ("&&", "ends"),
        ("||", "ends"),
        ("#a", "comment"),
        ("a\\", "next line"),
        ("${a b}", "blanks"),
        ("a${", "setting"),
        ("${}", "setting"),
    ],
)
def test_what_would_not_survive(word: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        script("ignition", "http://h/", Boot("vmlinuz", (), (word,)))
    with pytest.raises(InputError, match=why):
        script("ignition", "http://h/", Boot(word))


def test_a_kernel_is_no_option() -> None:
    with pytest.raises(InputError, match="option"):
        script("ignition", "http://h/", Boot("--name"))


def test_more_than_the_kernel_keeps() -> None:
    url = "http://h/" + "x" * 1900
    assert "x" * 1900 in script("coreos", url, Boot("vmlinuz"))
    with pytest.raises(InputError, match="cuts them off after 2047"):
        script("coreos", url, Boot("vmlinuz", (), ("y" * 200,)))


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), max_size=4), st.text())
def test_a_word_survives_or_is_refused(words: list[str], title: str) -> None:
    try:
        made = script("coreos", "http://h/u", Boot("vmlinuz", (), tuple(words)), title)
    except InputError:
        return
    expected = [SETTINGS.get(word[2:-1], "") if re.fullmatch(r"\$\{[^{}]+\}", word) else word for word in words]
    if not any("${" in word for word in words):
        assert commands(made) == [["kernel", "vmlinuz", "cloud-config-url=http://h/u", *expected], ["boot"]]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["coreos", "cloud-init", "ignition"])
def test_what_a_machine_really_boots_with(target: str, tmp_path: Path) -> None:
    """iPXE in the network card of a virtual machine fetches the script and boots a kernel that says its arguments."""
    arguments = ("console=ttyS0", "a=$b;c", "uuid=${uuid}", "x||y", "a#b", "--", r"k=a\b", "'")
    url = "http://10.0.2.2/a,b/?$x=(y)&z=1/"
    files = package(
        "ipxe",
        "n1",
        b"#cloud-config\n",
        target,
        None,
        url=url,
        metadata={},
        boot=Boot("vmlinuz", ("initrd",), arguments),
    )
    (tmp_path / "initrd").write_bytes(b"0" * 1024)
    line = boot(tmp_path, files[0].data.decode())
    told = {
        "coreos": f"cloud-config-url={url}n1.yaml",
        "ignition": f"flatcar.first_boot=1 ignition.config.url={url}n1.ign",
        "cloud-init": f"ds=nocloud-net;s={url}n1.%s",
    }
    rest = " ".join(arguments).replace("${uuid}", SETTINGS["uuid"])
    assert line == f"initrd=initrd {told[target]} {rest}"
    if target == "cloud-init":
        assert ask_cloud_init(tmp_path, "arguments", line) == {"seedfrom": f"{url}n1.%s"}
