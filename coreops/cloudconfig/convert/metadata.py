"""What coreos-metadata tells a node of its addresses, as data; units read it in place of ``$private_ipv4``.

Source of the names: coreos/container-linux-config-transpiler config/templating/templating.go. Source of the file and
the service: flatcar-docs, provisioning/config-transpiler/dynamic-data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SERVICE: Final = "coreos-metadata.service"
FILE: Final = "/run/metadata/flatcar"
VARIABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "azure": {
        "private_ipv4": "COREOS_AZURE_IPV4_DYNAMIC",
        "public_ipv4": "COREOS_AZURE_IPV4_VIRTUAL",
    },
    "digitalocean": {
        "private_ipv4": "COREOS_DIGITALOCEAN_IPV4_PRIVATE_0",
        "public_ipv4": "COREOS_DIGITALOCEAN_IPV4_PUBLIC_0",
        "private_ipv6": "COREOS_DIGITALOCEAN_IPV6_PRIVATE_0",
        "public_ipv6": "COREOS_DIGITALOCEAN_IPV6_PUBLIC_0",
    },
    "ec2": {"private_ipv4": "COREOS_EC2_IPV4_LOCAL", "public_ipv4": "COREOS_EC2_IPV4_PUBLIC"},
    "gce": {"private_ipv4": "COREOS_GCE_IP_LOCAL_0", "public_ipv4": "COREOS_GCE_IP_EXTERNAL_0"},
    "openstack": {"private_ipv4": "COREOS_OPENSTACK_IPV4_LOCAL", "public_ipv4": "COREOS_OPENSTACK_IPV4_PUBLIC"},
    "vagrant": {"private_ipv4": "COREOS_VAGRANT_VIRTUALBOX_PRIVATE_IPV4"},
}
UNIT: Final = f"[Unit]\nRequires={SERVICE}\nAfter={SERVICE}\n"
SERVES: Final = f"[Service]\nEnvironmentFile={FILE}\n"
