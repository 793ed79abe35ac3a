"""What a document is for is told from itself; what could be for several is for coreos-cloudinit."""

from __future__ import annotations

import pytest

from coreops.cloudconfig.validate.told import tell


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        ("#!/bin/sh\n", "script"),
        ("#cloud-config\nhostname: a\n", "coreos"),
        ("#cloud-config\ncoreos: {}\npackages: [a]\n", "coreos"),
        ("\ufeff#cloud-config\npackages: [a]\n", "cloud-init"),
        ("#cloud-config\nusers:\n  - default\n", "cloud-init"),
        ("#cloud-config\nusers:\n  - name: a\n    sudo: x\n", "cloud-init"),
        ("#cloud-config\nwrite_files:\n  - path: /a\n    append: true\n", "cloud-init"),
        ("## template: jinja\n#cloud-config\n", "cloud-init"),
        ("##template:jinja\n", "cloud-init"),
        ('{"ignition": {"version": "3.3.0"}}', "ignition"),
        ('\n { "ignitionVersion" : 1,', "ignition"),
        ("variant: flatcar\n", "butane"),
        ("etcd: {}\nsystemd: {}\n", "butane"),
        ("MIME-Version: 1.0\n", "other"),
        ("content-type: multipart/mixed\n", "other"),
        ("#include\nhttp://example.net\n", "other"),
        ("#cloud-config-archive\n- a\n", "other"),
        ("hello\n", "coreos"),
        ("{}", "coreos"),
    ],
)
def test_told(text: str, kind: str) -> None:
    assert tell(text) == kind
