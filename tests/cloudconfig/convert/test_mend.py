"""What coreos-cloudinit did with what the node model does not take as it is."""

from __future__ import annotations

import pytest

from coreops.errors import InputError
from tests.cloudconfig.convert.support import has, plain, run


def file(text: str) -> dict[str, str]:
    found = plain(run(f"write_files:\n  - {{path: /a, {text}}}"))["write_files"][0]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("written", "mode"),
    [("0644", "0644"), ("'644'", "0644"), ("'7'", "0007"), ("00600", "0600"), ("'4755'", "0755"), ("420", "0420")],
)
def test_permissions_are_octal_and_nine_bits(written: str, mode: str) -> None:
    assert file(f"permissions: {written}")["permissions"] == mode


def test_permissions_that_a_program_rewrote() -> None:
    done = run("write_files:\n  - {path: /a, permissions: 420}\n  - {path: /b, permissions: '4755'}")
    assert has(done, "write_files[/a].permissions (user-data:3:", "read it as octal", "rewrote 0644")
    assert has(done, "write_files[/b].permissions (user-data:4:", "no setuid", "0755")


@pytest.mark.parametrize("written", ["u=rw", "'0888'", "0o644"])
def test_permissions_that_stopped_the_old_machine(written: str) -> None:
    with pytest.raises(InputError) as caught:
        file(f"permissions: {written}")
    assert str(caught.value).startswith("user-data:3:")


def test_paths_are_cleaned_and_the_last_file_wins() -> None:
    done = run("write_files:\n  - {path: etc//x/../y, content: a}\n  - {path: /etc/y, content: b}")
    assert plain(done)["write_files"] == [{"path": "/etc/y", "content": "b"}]
    assert has(done, "changed: write_files[/etc/y] (user-data:3:", "was written to /etc/y")
    assert has(done, "changed: write_files[/etc/y] (user-data:4:", "twice")


@pytest.mark.parametrize("path", ["/usr/x", "../../usr/x", "/etc/"])
def test_paths_that_stopped_the_old_machine(path: str) -> None:
    with pytest.raises(InputError) as caught:
        run(f"write_files:\n  - path: {path}\n    content: a")
    assert str(caught.value).startswith("user-data:3:11: write_files[0].path")


def test_a_file_without_path_stopped_it() -> None:
    with pytest.raises(InputError, match=r"write_files\[0\].path is missing"):
        run("write_files:\n  - content: a")


def test_content_that_cannot_be_decoded() -> None:
    with pytest.raises(InputError) as caught:
        run("write_files:\n  - path: /a\n    encoding: b64\n    content: '%'")
    assert caught.value.where == "user-data:5:14"


def test_bytes_become_base64() -> None:
    done = run("write_files:\n  - path: /a\n    content: !!binary gIE=")
    assert plain(done)["write_files"] == [{"path": "/a", "content": "gIE=", "encoding": "b64"}]


def test_compressed_bytes_stay_compressed() -> None:
    done = run(
        "write_files:\n  - path: /a\n    encoding: gzip\n    content: !!binary H4sIAAAAAAACA8tIzcnJBwCGphA2BQAAAA=="
    )
    assert plain(done)["write_files"][0]["encoding"] == "gz+b64"


def test_bytes_where_only_text_can_be() -> None:
    with pytest.raises(InputError) as caught:
        run("hostname: !!binary gIE=")
    assert caught.value.where == "user-data:2:11"


def test_accounts_in_the_image_got_keys_and_passwords_only() -> None:
    done = run("users:\n  - {name: core, groups: [x], passwd: $6$a, ssh_authorized_keys: [k]}\n  - {gecos: none}")
    assert plain(done)["users"] == [{"name": "core", "passwd": "$6$a", "ssh_authorized_keys": ["k"]}]
    assert has(done, "ignored: users[core].groups (user-data:3:", "in the image")
    assert has(done, "ignored: users[1] (user-data:4:", "without name")


def test_an_account_that_is_there_twice() -> None:
    done = run("users:\n  - {name: bob, shell: /bin/sh}\n  - {name: bob, shell: /bin/zsh, passwd: '*'}")
    assert plain(done)["users"] == [{"name": "bob", "passwd": "*", "shell": "/bin/sh"}]


def test_a_password_that_is_no_hash_is_not_shown() -> None:
    done = run("users:\n  - {name: bob, passwd: hunter2}")
    assert plain(done)["users"] == [{"name": "bob"}]
    assert has(done, "ignored: users[bob].passwd", "no hash")
    assert not has(done, "hunter2")


def test_keys_of_a_block() -> None:
    done = run("ssh_authorized_keys:\n  - |\n    ssh-rsa A\n\n    ssh-rsa B\n")
    assert plain(done)["ssh_authorized_keys"] == ["ssh-rsa A", "ssh-rsa B"]


def test_a_line_break_at_the_end() -> None:
    done = run("hostname: |\n  node-1\n")
    assert plain(done)["hostname"] == "node-1"
    assert has(done, "changed: hostname (user-data:2:11)", "line break")


def test_units_that_are_there_twice_are_one() -> None:
    text = """coreos:
  units:
    - {name: a.service, drop_ins: [{name: 1.conf, content: x}, {name: 2, content: x}, {name: 3.conf}]}
    - {name: b.service, command: start}
    - {name: a.service, command: start, enable: true, drop_ins: [{name: 4.conf, content: y}]}
    - {command: start}
"""
    done = run(text)
    assert [unit["name"] for unit in plain(done)["coreos"]["units"]] == ["b.service", "a.service"]
    second = plain(done)["coreos"]["units"][1]
    assert second["command"] == "start"
    assert second["enable"] is True
    assert [each["name"] for each in second["drop_ins"]] == ["1.conf", "4.conf"]
    assert has(done, "ignored: coreos.units[a.service].drop_ins[2]", ".conf")
    assert has(done, "ignored: coreos.units[a.service].drop_ins[3.conf]", "without name or content")
    assert has(done, "ignored: coreos.units[3] (user-data:7:", "without name")


def test_options_that_were_never_handed_on() -> None:
    done = run(
        "coreos: {flannel: {etcd_prefix: ''}, locksmith: {group: a}, etcd2: {name: n, debug: false, max_wals: 0}}"
    )
    assert has(done, "ignored: coreos.etcd2.debug", "handed on no option that is false")
    assert has(done, "ignored: coreos.etcd2.max_wals", "handed on no option that is 0")
    assert has(done, "ignored: coreos.flannel.etcd_prefix", "empty")


@pytest.mark.parametrize(("written", "start"), [("thu 4:00", "Thu 04:00"), ("4:0", "04:00"), ("23:30", "23:30")])
def test_reboot_windows(written: str, start: str) -> None:
    done = run(f"coreos: {{locksmith: {{window_start: {written}, window_length: 1h}}}}")
    assert plain(done)["coreos"]["locksmith"]["window_start"] == start


def test_off_that_became_false() -> None:
    done = run("coreos:\n  update: {reboot-strategy: false}\n")
    assert plain(done)["coreos"]["update"] == {"reboot_strategy": "off"}
    assert has(done, "changed: coreos.update.reboot_strategy (user-data:3:29)", "refused")


@pytest.mark.parametrize("value", ["true", "sometimes", "etcd_lock"])
def test_a_strategy_that_nobody_knows(value: str) -> None:
    with pytest.raises(InputError) as caught:
        run(f"coreos:\n  update: {{reboot-strategy: {value}}}\n")
    assert caught.value.where == "user-data:3:29"
