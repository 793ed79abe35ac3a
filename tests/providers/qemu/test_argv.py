"""The command line: whatever the names are, each is one value of one option."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from coreops.providers.qemu.argv import Direct, Nic, Uefi, Vm, argv, board

VM = Vm("n1", Path("/m"), Path("/m/disk.img"), Uefi(Path("/code.fd"), Path("/m/vars.fd")))
TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1)


def after(words: list[str], option: str) -> list[str]:
    return [words[at + 1] for at, word in enumerate(words) if word == option]


def fields(value: str) -> list[str]:
    """As QEMU reads an option: a comma ends a value, two are one."""
    return [each.replace("\0", ",") for each in value.replace(",,", "\0").split(",")]


@given(TEXT, TEXT)
def test_names_are_values(name: str, part: str) -> None:
    folder = Path("/m") / part.replace("/", "")
    words = argv(replace(VM, name=name, folder=folder, disk=folder / "d", seed=folder / "s"), "kvm")
    assert fields(after(words, "-name")[0]) == [f"guest={name}"]
    assert [fields(each)[-1] for each in after(words, "-drive")[2:]] == [f"file={folder / 'd'}", f"file={folder / 's'}"]
    assert fields(after(words, "-chardev")[0])[2] == f"path={folder / 'console.log'}"


def test_the_processor_is_the_hosts_only_with_kvm() -> None:
    assert board("kvm")[-1] == "host"
    assert board("tcg,thread=multi")[-1].startswith("max,")


def test_firmware_is_read_only_and_its_variables_are_not() -> None:
    code, variables = (fields(each) for each in after(argv(VM, "kvm"), "-drive")[:2])
    assert {"readonly=on", "file=/code.fd"} <= set(code)
    assert "readonly=on" not in variables


def test_a_kernel_in_place_of_firmware() -> None:
    words = argv(replace(VM, boot=Direct(Path("/k"), Path("/i"), "a b=c,d")), "kvm")
    assert (after(words, "-kernel"), after(words, "-initrd"), after(words, "-append")) == (["/k"], ["/i"], ["a b=c,d"])
    assert not any("pflash" in word for word in words)


def test_cable_serial_and_firmware_files() -> None:
    words = argv(
        replace(VM, nic=Nic("ns", "t0", "52:54:00:00:00:01"), smbios_serial="a,b", fw_cfg=(("opt/x", Path("/f,g")),)),
        "kvm",
    )
    assert after(words, "-netdev") == ["tap,id=net0,ifname=t0,script=no,downscript=no"]
    assert fields(after(words, "-smbios")[0]) == ["type=1", "serial=a,b"]
    assert fields(after(words, "-fw_cfg")[0]) == ["name=opt/x", "file=/f,g"]
    assert not after(argv(VM, "kvm"), "-netdev")
