"""The whole way: scripts, what is no cloud-config, what runs otherwise, and every good document to every target."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from coreops.cloudconfig.convert.convert import Converted, convert
from coreops.cloudconfig.convert.options import SPECS, TARGETS
from coreops.cloudconfig.platforms.records import PLATFORMS, find
from coreops.cloudconfig.validate.check import check
from coreops.errors import InputError
from tests.cloudconfig.convert.support import FILE, has, plain, run
from tests.cloudconfig.real.judges import ask_cloud_init

HERE = Path(__file__).parents[1]
CORPUS = sorted(path for path in (HERE / "validate" / "corpus").glob("good-*.yml") if path.stem != "good-ignition")
GOLDEN = sorted((HERE / "golden" / "coreos").glob("*.yaml"))
ADDRESSES = {
    "private_ipv4": "10.0.0.1",
    "public_ipv4": "192.0.2.1",
    "private_ipv6": "fd00::1",
    "public_ipv6": "2001:db8::1",
}


@pytest.mark.parametrize("to", TARGETS)
def test_a_script_runs_on_every_boot(to: str) -> None:
    text = "#!/usr/bin/python\necho $private_ipv4 '\"\\n' é\n"
    done = convert(text.encode(), FILE, to, addresses=ADDRESSES)
    assert has(done, "changed: the script (user-data:1:1)", "'#!/usr/bin/python' was not looked at")
    if to in ("coreos", "cloud-init"):
        file = next(each for each in plain(done)["write_files"] if each["path"] == "/opt/coreops/user-data")
        assert file["content"] == text.replace("$private_ipv4", "10.0.0.1")
        assert file["permissions"] == "0700"
    assert b"ExecStart=/bin/bash /opt/coreops/user-data" in done.data


def test_compressed_user_data() -> None:
    done = convert(gzip.compress(b"#cloud-config\nhostname: a\n"), FILE, "coreos")
    assert plain(done) == {"hostname": "a"}


@pytest.mark.parametrize("text", ["", "#cloud-config", "#cloud-config\n---\n", "#cloud-config\n# nothing\n"])
@pytest.mark.parametrize("to", TARGETS)
def test_nothing_becomes_nothing(text: str, to: str) -> None:
    assert convert(text.encode(), FILE, to).losses == ()


def test_a_byte_order_mark_is_told() -> None:
    done = convert(b"\xef\xbb\xbf#cloud-config\nhostname: a\n", FILE, "coreos")
    assert [finding.rule for finding in done.findings] == ["header"]


@pytest.mark.parametrize(
    ("data", "what", "next_step"),
    [
        (b'{"ignition": {"version": "3.3.0"}}', "an Ignition config already", "nothing to convert"),
        (b"MIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary=x\n\n--x\n", "multipart", "each part"),
        (b"hostname: a\n", "the first line must be", "coreops validate"),
        (b"## template: jinja\n#cloud-config\n", "the first line must be", "coreops validate"),
        (b"#cloud-config\n- a\n", "a list, not a mapping", ""),
        (b"#cloud-config\na: [\n", "not valid YAML", ""),
        (b"\0", "a binary file", ""),
    ],
)
def test_what_is_no_cloud_config(data: bytes, what: str, next_step: str) -> None:
    with pytest.raises(InputError) as caught:
        convert(data, FILE, "coreos")
    assert what in caught.value.what
    assert next_step in str(caught.value.next)
    assert str(caught.value.where).startswith(FILE)


def test_what_broke_the_old_machine_is_shown() -> None:
    done = run("coreos: {etcd2: {name: a}, units: [{name: etcd2.service, enable: true, command: start}]}")
    assert "enable-deadlock" in [finding.rule for finding in done.findings]


@pytest.mark.parametrize(("to", "words"), [("ignition", "before the first boot"), ("cloud-init", "each instance-id")])
def test_what_runs_once_is_told(to: str, words: str) -> None:
    done = run("write_files: [{path: /a}]\ncoreos: {units: [{name: docker.service, command: start}]}", to)
    assert has(done, "note: the whole file", words)
    assert has(done, "note: write_files (user-data:2:1)", "every boot")
    assert has(done, "note: coreos.units (user-data:3:10)", "order")


def test_core_is_made_on_debian() -> None:
    done = run("users: [{name: core, ssh_authorized_keys: [k]}]\nssh_authorized_keys: [k]", "cloud-init")
    core = plain(done)["users"][1]
    assert (core["name"], core["groups"], core["sudo"]) == ("core", ["sudo"], "ALL=(ALL) NOPASSWD:ALL")
    assert has(done, "note: ssh_authorized_keys", "debian")


def test_the_environment_that_coreos_cloudinit_wrote() -> None:
    text = "coreos: {units: [{name: a.service, content: 'ExecStart=/a ${COREOS_PRIVATE_IPV4} ${COREOS_PUBLIC_IPV4}'}]}"
    done = run(text, "ignition", private_ipv4="10.0.0.1")
    assert "COREOS_PRIVATE_IPV4=10.0.0.1" in done.data.decode()
    assert has(done, "lost: COREOS_PUBLIC_IPV4 in /etc/environment", "--address")
    assert not has(done, "lost: COREOS_PRIVATE_IPV4")
    assert not run(text, "coreos").losses
    own = "write_files: [{path: /etc/environment, content: ''}]\n"
    assert not has(run(own + text, "ignition"), "lost: COREOS")


def test_an_environment_that_units_do_not_start_without() -> None:
    text = "coreos: {units: [{name: a.service, content: 'EnvironmentFile=/etc/environment'}]}"
    assert '"path": "/etc/environment"' in run(text, "ignition").data.decode()
    assert has(run(text, "butane"), "changed: /etc/environment", "empty")
    assert "/etc/environment" not in str(plain(run(text, "cloud-init")).get("write_files")[0]["path"])


def test_the_server_that_is_gone() -> None:
    assert has(run("coreos: {update: {server: 'https://public.update.core-os.net/v1/update/'}}"), "note:", "gone")


def test_nothing_in_it_was_read() -> None:
    assert has(run("runcmd: [ls]"), "note: the whole file", "is it for cloud-init?")


@pytest.mark.parametrize("path", [*CORPUS, *GOLDEN], ids=lambda path: path.stem)
def test_what_is_tidy_stays_as_it_is(path: Path) -> None:
    tidy = each(path, "coreos").data
    again = convert(tidy, FILE, "coreos", addresses=ADDRESSES)
    assert again.data == tidy
    assert again.losses == ()


def test_a_result_that_is_too_large() -> None:
    noise = random.Random(1).randbytes(9000).hex()
    with pytest.raises(InputError, match="ec2 takes 16384 bytes"):
        run(f"write_files: [{{path: /a, content: '{noise}'}}, {{path: /b, content: '{noise[1:]}'}}]", "ignition", "ec2")
    assert has(run(f"write_files: [{{path: /a, content: '{'ab c' * 9000}'}}]", "cloud-init", "ec2"), "gzipped")


def test_a_secret_is_told_and_not_shown() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----"
    done = run(f"write_files: [{{path: /etc/key.pem, content: '{key}'}}]", "ignition", "ec2")
    assert has(done, "note: write_files[/etc/key.pem].content (user-data:2:", "private key", "on ec2", "SSH")
    assert not has(done, key)


def test_debian_takes_every_good_document(tmp_path: Path) -> None:
    documents = {path.stem: each(path, "cloud-init").data for path in (*CORPUS, *GOLDEN)}
    said = ask_cloud_init(documents, tmp_path)
    assert {name: (one.errors, one.unknown) for name, one in said.items() if one.errors or one.unknown} == {}


def each(path: Path, to: str) -> Converted:
    """A document of the corpus, converted for the platform that its name says."""
    _, _, platform = path.stem.partition("@")
    where = find(platform) if platform in PLATFORMS else None
    return convert(path.read_bytes(), path.name, to, platform=where, addresses=ADDRESSES)


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("path", [*CORPUS, *GOLDEN], ids=lambda path: path.stem)
def test_good_documents(path: Path, to: str, tmp_path: Path) -> None:
    done = each(path, to)
    assert done == each(path, to)
    accepted(done.data, to, tmp_path)


def accepted(data: bytes, to: str, folder: Path) -> None:
    """coreops' own validator takes it, and the real one where it is installed."""
    found = [each for each in check(data, "result", None, to) if each.severity == "error"]
    # An escaped $private_ipv4 is one that is to stay; nobody can see that in the result.
    assert [str(each) for each in found if each.rule != "substitution"] == []
    file = folder / "result"
    file.write_bytes(data)
    if to == "ignition":
        assert json.loads(data)["ignition"]["version"] == SPECS[0]
        if shutil.which("ignition-validate"):
            done = subprocess.run(["ignition-validate", file], capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout + done.stderr) == (0, "")
    else:
        assert isinstance(yaml.safe_load(data) or {}, dict)


_LINES = st.lists(
    st.sampled_from(
        (
            *("coreos:", "  etcd2:", "    name: $private_ipv4", "  units:", "    - name: a.service", "hostname: off"),
            *(
                "      command: start",
                "      content: |",
                "        ExecStart=/a $public_ipv4",
                "users:",
                "  - name: core",
            ),
            *("write_files:", "  - path: /a", "    permissions: 0644", "    content: !!binary gIE=", "  fleet:", "- x"),
            *(
                "    encoding: gzip",
                "    groups: [a]",
                "  update: {reboot-strategy: no}",
                "ssh-authorized-keys: [k, ~]",
            ),
        )
    ),
    max_size=14,
)


@given(_LINES, st.sampled_from(TARGETS), st.sampled_from((None, "ec2", "qemu")), st.booleans())
def test_any_document_is_converted_or_refused_with_its_place(
    lines: list[str], to: str, platform: str | None, known: bool
) -> None:
    data = "\n".join(("#cloud-config", *lines)).encode()
    where = find(platform) if platform else None
    try:
        said = convert(data, FILE, to, platform=where, addresses=ADDRESSES if known else {}).data.decode()
    except InputError as error:
        said = str(error.where)
    assert said.startswith((FILE, "#cloud-config", "variant:", "{"))
