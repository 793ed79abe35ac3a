from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.store import lockfile

SHA = "ab" * 32


def entry(**changes: str | None) -> str:
    values = {"name": "etcd", "version": "3.5.17", "arch": "amd64", "sha256": SHA, "path": "etcd.tar.gz"} | changes
    lines = [f"{key}: {value}" for key, value in values.items() if value is not None]
    return "artifacts:\n  - " + "\n    ".join(lines) + "\n"


def read(tmp_path: Path, text: str) -> tuple[lockfile.Locked, ...]:
    path = tmp_path / "artifacts.lock.yml"
    path.write_text(text)
    return lockfile.read(path)


def test_an_entry(tmp_path: Path) -> None:
    (item,) = read(tmp_path, entry())
    assert (item.name, item.version, item.arch, item.sha256) == ("etcd", "3.5.17", "amd64", SHA)
    assert (item.source, item.location) == ("path", str(tmp_path / "etcd.tar.gz"))
    assert item.release == "3.5.17-abababab"
    assert item.position.line == 2


def test_the_packaged_file_is_sound() -> None:
    assert lockfile.choose(lockfile.read(lockfile.DEFAULT), "etcd", "amd64", None, where=None).version


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("artifacts: [\n", "not valid YAML", ":2:1"),
        ("", "one key, artifacts", ""),
        ("things: []\n", "one key, artifacts", ":1:1"),
        ("artifacts: {}\n", "must be a list", ":1:12"),
        ("artifacts:\n  - etcd\n", "must be a mapping", ":2:5"),
        (entry(sha265=SHA), "unknown field 'sha265'", ":7:5"),
        (entry(version=None), "lacks version", ":2:5"),
        (entry(path=None), "exactly one of", ":2:5"),
        (entry(url="https://x/e.zip"), "exactly one of", ":2:5"),
        (entry(path=None, url="ftp://x"), "https", ":2:5"),
        (entry(path=None, pypi="--evil"), "name of a package", ":2:5"),
        (entry(sha256="123"), "64 hex digits", ":2:5"),
        (entry(version="../3"), "look like", ":2:5"),
        (entry(arch="[a]"), "arch must be a text", ":4:11"),
        (entry() + "    arch: arm64\n", "given twice", ":7:5"),
    ],
)
def test_mistakes_have_a_place(tmp_path: Path, text: str, message: str, place: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert message in caught.value.what
    assert (caught.value.where or "").endswith("artifacts.lock.yml" + place)


def test_did_you_mean(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, entry(sha265=SHA))
    assert "sha256" in (caught.value.next or "")


def test_choosing(tmp_path: Path) -> None:
    items = read(tmp_path, entry() + entry(version="3.6.1").split("\n", 1)[1] + entry(arch="arm64").split("\n", 1)[1])
    assert lockfile.choose(items, "etcd", "amd64", "3.6.1", where=None).version == "3.6.1"
    assert lockfile.choose(items, "etcd", "arm64", None, where=None).arch == "arm64"
    with pytest.raises(InputError, match="has 2 entries"):
        lockfile.choose(items, "etcd", "amd64", None, where=None)
    with pytest.raises(InputError, match=r"no etcd riscv64") as caught:
        lockfile.choose(items, "etcd", "riscv64", None, where="hosts.yml:3")
    assert caught.value.where == "hosts.yml:3"


def test_the_file_beside_the_inventory_wins(tmp_path: Path) -> None:
    assert lockfile.find(tmp_path) == lockfile.DEFAULT
    (tmp_path / "artifacts.lock.yml").touch()
    assert lockfile.find(tmp_path) == tmp_path / "artifacts.lock.yml"


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("nomad", "1.7.7"),
        ("nomad", "2.0.0-rc.1"),
        ("nomad", "1.7.7+ent"),
        ("k3s", "v1.28.5+k3s1"),
        ("k3s", "v1.30.0-rc1+k3s1"),
        ("fleet", "v0.11.8"),
        ("k3s-images", "v1.28.5+k3s1"),
    ],
)
def test_versions_as_vendors_write_them(tmp_path: Path, name: str, version: str) -> None:
    (item,) = read(tmp_path, entry(name=name, version=version))
    assert lockfile.choose([item], name, "amd64", version, where=None) is item


@pytest.mark.parametrize("version", ["1.7", "1.7.7/../x", "v1.28.5+", "1.7.7 ", "1.7.7+$(x)", "latest", "1.7.7+a+-b"])
def test_versions_that_are_none(tmp_path: Path, version: str) -> None:
    with pytest.raises(InputError, match=r"version must look like v1\.28\.5\+k3s1"):
        read(tmp_path, entry(name="k3s", version=f"'{version}'"))


def test_etcd_versions_stay_plain_numbers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must look like 3\.5\.17"):
        read(tmp_path, entry(version="v3.5.17"))


def test_no_hash_no_install(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lacks sha256") as caught:
        read(tmp_path, entry(sha256=None))
    assert "not pinned" in (caught.value.why or "")
    assert "sha256sum" in (caught.value.next or "")


def test_an_unknown_artifact(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no artifact is called 'nomda'") as caught:
        read(tmp_path, entry(name="nomda"))
    assert "'nomad'" in (caught.value.next or "")


def test_the_hint_names_the_variable_of_the_program(tmp_path: Path) -> None:
    items = read(
        tmp_path,
        entry(name="nomad", version="1.7.7") + entry(name="nomad", version="1.8.0").split("\n", 1)[1],
    )
    with pytest.raises(InputError, match="has 2 entries for nomad amd64") as caught:
        lockfile.choose(items, "nomad", "amd64", None, where=None)
    assert "nomad_version" in (caught.value.next or "")


def test_images_are_of_a_kind_that_their_name_tells(tmp_path: Path) -> None:
    images = {"name": "k3s-images", "version": "v1.28.5+k3s1"}
    (item,) = read(tmp_path, entry(**images, path=None, url="https://example.net/k3s.tar.zst?raw"))
    assert item.suffix == ".tar.zst"
    with pytest.raises(InputError, match=r"must be a file of one of the kinds \.tar, ") as caught:
        read(tmp_path, entry(**images, path="k3s.zip"))
    assert str(caught.value.where).endswith("artifacts.lock.yml:2:5")
