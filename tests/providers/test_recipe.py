"""The recipe and its name in the cache."""

from __future__ import annotations

import pytest
import yaml

from coreops.providers.namespace import image, recipe
from coreops.providers.namespace.flavour import CLOUD_INIT, PLAIN


def test_the_fingerprint_follows_the_content(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe.fingerprint("x86_64")
    assert recipe.fingerprint("x86_64") == before != recipe.fingerprint("aarch64")
    monkeypatch.setitem(recipe.FILES, "etc/new", (0o644, "x"))
    assert recipe.fingerprint("x86_64") != before


def test_the_cache_can_be_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COREOPS_CACHE", "/somewhere")
    assert str(image.current().usr("1.0.0")).startswith("/somewhere/images/")


def test_releases_differ_in_os_release() -> None:
    assert "VERSION_ID=1.1.0\n" in recipe.os_release("1.1.0")
    assert "ID=coreops-lab\n" in recipe.os_release("1.1.0")


def test_no_python_and_no_package_manager_in_the_recipe() -> None:
    assert not any("python" in package for package in recipe.PACKAGES)
    assert {"usr/bin/dpkg*", "usr/bin/apt*"} <= set(recipe.REMOVED)


def test_a_flavour_is_an_image_of_its_own_and_leaves_the_plain_one_alone() -> None:
    assert recipe.fingerprint("x86_64", flavour=PLAIN) == recipe.fingerprint("x86_64")
    assert recipe.fingerprint("x86_64", flavour=CLOUD_INIT) != recipe.fingerprint("x86_64")
    assert image.current(CLOUD_INIT).folder != image.current().folder


def test_the_lab_keeps_the_network_and_the_host_keys_from_cloud_init() -> None:
    _, text = CLOUD_INIT.files["etc/cloud/cloud.cfg.d/99_lab.cfg"]
    config = yaml.safe_load(text)
    assert config["datasource_list"] == ["NoCloud", "None"]
    assert config["network"] == {"config": "disabled"}
    assert config["ssh_deletekeys"] is False
    assert config["system_info"]["default_user"]["name"] == "core"
    assert not {"apt-configure", "grub-dpkg", "growpart", "resizefs"} & {
        *config["cloud_init_modules"],
        *config["cloud_config_modules"],
    }
