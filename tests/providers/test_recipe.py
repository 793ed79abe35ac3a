"""The recipe and its name in the cache."""

from __future__ import annotations

import pytest

from coreops.providers.namespace import image, recipe


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
