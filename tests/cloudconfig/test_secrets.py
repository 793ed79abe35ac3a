"""Secrets are found by shape and by name, with their place; their values are never told."""

from __future__ import annotations

import base64
import gzip
import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.cloudconfig.marked import parse
from coreops.cloudconfig.platforms.records import PLATFORMS
from coreops.cloudconfig.secrets import Secret, find, hashes, refuse, warning
from coreops.errors import InputError
from coreops.model import Position

# In parts: whole, they would look like leaked secrets in this file.
HEX = "0123456789abcdef" * 4
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE\n-----END RSA " + "PRIVATE KEY-----\n"
PUBLIC = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
B64 = base64.b64encode(PEM.encode()).decode()


def document(path: str, content: str, encoding: str | None = None) -> str:
    more = f", encoding: {encoding}" if encoding else ""
    return f"write_files:\n  - {{path: {json.dumps(path)}, content: {json.dumps(content)}{more}}}\n"


def kinds(text: str, known: dict[str, str] | None = None) -> list[str]:
    return [secret.kind for secret in find(parse(text, "node.yml"), known)]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("private key", PEM),
        ("private key", "-----BEGIN " + "OPENSSH PRIVATE KEY-----\n"),
        ("private key", "-----BEGIN " + "PGP PRIVATE KEY BLOCK-----\n"),
        ("private key", CERTIFICATE + PEM),
        ("private key", f"client-key-data: {B64}\n"),
        ("private key", f"a\n  {B64[:64]}\n  {B64[64:]}\n"),
        ("Swarm join token", f"docker swarm join --token SWMTKN-1-{HEX[:50]}-{HEX[:25]} 10.0.0.1:2377"),
        ("GitHub token", "ghp" + "_" + "A1b2" * 9),
        ("GitHub token", "x-access-token:github" + "_pat_" + "A1b2_" * 6),
        ("GitLab token", "gl" + "pat-" + "A1b2-" * 5),
        ("AWS secret access key", "[default]\naws_secret_access_key = " + "A1b/" * 10),
        ("AWS secret access key", 'AWS_SECRET_ACCESS_KEY="' + "A1b+" * 10 + '"'),
        ("JSON web token", "ey" + "J0eXAiOiJKV1Qi.ey" + "JzdWIiOiIxMjM0.abcdefghijklmnopqrstuvw"),
        ("k3s token", f"K10{HEX}::server:{HEX[:32]}"),
        ("Vault token", "hv" + "s." + "A1b2" * 8),
        ("ansible-vault text", "$ANSIBLE_" + "VAULT;1.1;AES256\n6231\n"),
        ("password in a URL", "proxy=http://ann:hunter2@proxy:3128/"),
        ("value of DB_PASSWORD", "DB_PASSWORD=hunter2\n"),
        ("value of spring.datasource.password", "spring.datasource.password = hunter2\n"),
        ("value of K3S_TOKEN", "export K3S_TOKEN='abcdefgh12'\n"),
        ("value of api_key", "a: 1\nauth: {api_key: abcdefgh12}\n"),
        ("value of --registry-token", "ExecStart=/bin/x --registry-token=abcdefgh12"),
    ],
)
def test_a_secret_in_a_file(kind: str, content: str) -> None:
    assert kinds(document("/etc/x", content)) == [kind]
    assert kinds(document("/etc/x", base64.b64encode(content.encode()).decode(), "b64")) == [kind]
    zipped = base64.b64encode(gzip.compress(content.encode())).decode()
    assert kinds(document("/etc/x", zipped, "gzip+base64")) == [kind]


@pytest.mark.parametrize("content", [CERTIFICATE, PUBLIC])
@pytest.mark.parametrize("path", ["/etc/ssl/x.pem", "/etc/ssl/x.key"])
def test_certificates_and_public_keys_are_for_all(path: str, content: str) -> None:
    assert kinds(document(path, content)) == []


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/ssl/a.key", "/etc/ssl/a-key.pem", "/root/.dockercfg", "/root/.docker/config.json", "/etc/kubeconfig"),
        *("/home/core/.ssh/id_ed25519", "/root/.kube/config", "/etc/kubernetes/admin.kubeconfig", "/root/.netrc"),
    ],
)
def test_files_that_hold_keys_by_their_names(path: str) -> None:
    assert kinds(document(path, "x")) == ["a file that holds keys, by its name"]
    assert kinds(document(path, "")) == []


@pytest.mark.parametrize(
    "content",
    [
        "PASSWORD=$PASSWORD\nTOKEN=${TOKEN}\nTOKEN=%i\nsecret: /run/secrets/x\n",
        "PasswordAuthentication no\nKillMode=none\ntoken: 12345678\nPASSWORD_FILE=abc\npassword: false\n",
        "ETCD_INITIAL_CLUSTER_TOKEN=my-cluster-1\nETCD_DISCOVERY=https://discovery.etcd.io/" + HEX[:32],
        "http://ann@proxy:3128/ http://[::1]:80/ http://a:$PASS@b/ https://host:8080/a@b\n",
        "compass=north-east\nbypass: everything\n--auth-token=jwt,pub-key=/a\n",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA ann@example.net\n",
    ],
)
def test_what_is_none(content: str) -> None:
    assert kinds(document("/etc/x", content)) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("coreos: {fleet: {etcd-password: /x}}", "coreos.fleet.etcd_password"),
        ("coreos: {etcd_member: {discovery_password: a}}", "coreos.etcd_member.discovery_password"),
        ("coreos: {units: [{name: a.service, content: 'Environment=\"A_PASSWORD=b\"'}]}", "coreos.units[a.service]"),
        ("coreos: {units: [{name: a.service, content: 'Environment=A_PASSWORD=b'}]}", "coreos.units[a.service]"),
        (
            "coreos: {units: [{name: a.service, drop_ins: [{name: b.conf, content: 'PASSWORD=b'}]}]}",
            "coreos.units[a.service].drop_ins[b.conf]",
        ),
        ("environment: {DB_PASSWORD: hunter2}", "environment.DB_PASSWORD"),
        ("environment: {HTTPS_PROXY: 'http://a:b@c'}", "environment.HTTPS_PROXY"),
        (f"ssh_authorized_keys: [{json.dumps(PEM)}]", "ssh_authorized_keys[0]"),
    ],
)
def test_secrets_elsewhere(text: str, key: str) -> None:
    (found,) = find(parse(text, "node.yml"))
    assert found.key.removesuffix(".content") == key


def test_tokens_that_name_a_cluster_open_nothing() -> None:
    assert kinds("coreos: {etcd_member: {initial_cluster_token: my-cluster-1, auth_token: 'jwt,pub-key=/a'}}") == []
    assert kinds("coreos: {etcd2: {discovery: 'https://discovery.etcd.io/0123456789abcdef'}}") == []


def test_what_the_inventory_keeps_secret() -> None:
    assert kinds(document("/etc/x", "echo swordfish"), {"ansible_become_pass": "swordfish"}) == [
        "the value of ansible_become_pass"
    ]


def test_a_hash_is_told_but_not_refused() -> None:
    found = find(parse("users: [{name: ann, passwd: $6$a$b}]", "node.yml"))
    assert [(one.key, one.hashed) for one in found] == [("users[ann].passwd", True)]
    refuse(found, PLATFORMS["ec2"], "n1")
    assert "n1" in str(hashes({"n1": found}))
    assert warning({"n1": found}, PLATFORMS["ec2"]) is None
    assert hashes({"n1": ()}) is None


def test_a_refusal_has_places_and_no_values() -> None:
    text = document("/etc/a", "PASSWORD=hunter2") + "environment: {TOKEN: abcdefgh12}\n"
    with pytest.raises(InputError) as caught:
        refuse(find(parse(text, "node.yml")), PLATFORMS["ec2"], "n1")
    shown = str(caught.value)
    assert caught.value.where == "node.yml:2:31"
    assert "node.yml:3:22: environment.TOKEN (value of TOKEN)" in shown
    assert "ec2:DescribeInstanceAttribute" in shown
    assert "--allow-secrets" in shown
    assert "coreops run" in shown
    assert "hunter2" not in shown
    assert "abcdefgh12" not in shown


def test_the_warning_says_who_reads() -> None:
    one = Secret("private key", "a", Position("f"))
    said = warning({f"n{i}": (one,) for i in range(7)} | {"w": ()}, PLATFORMS["azure"])
    assert said is not None
    assert said.startswith("7 secrets in the user-data of n0, n1, n2, n3, n4 and 2 others; on azure it can be read by ")


def test_a_bomb_is_not_unpacked_whole() -> None:
    bomb = base64.b64encode(gzip.compress(bytes(50_000_000))).decode()
    assert kinds(document("/etc/x", bomb, "gz+b64")) == []


@given(st.text(), st.sampled_from([None, "b64", "gz", "gzip+base64", "nonsense"]))
def test_no_text_makes_it_fail(content: str, encoding: str | None) -> None:
    tree = parse(document("/etc/x", "x", encoding), "node.yml")
    (one,) = tree.value["write_files"].value
    one.value["content"] = replace(one.value["content"], value=content)
    find(tree)


@pytest.mark.parametrize("unit", ["-", "a.", "a b=", "token", "x://a:", "eyJ-", "LS0tLS1CRUdJTi", "-----BEGIN A "])
def test_long_texts_take_no_long_time(unit: str) -> None:
    begun = time.process_time()
    kinds(document("/etc/x", unit * (100_000 // len(unit))))
    assert time.process_time() - begun < 5
