"""The platforms that coreops knows, as data. Paths in sources without a project are coreos-cloudinit's."""

from __future__ import annotations

from typing import Final

from coreops.cloudconfig.platforms.platform import Encoding, Fact, Limit, Platform, Substitution
from coreops.errors import InputError, did_you_mean

_GZIP: Final[tuple[Encoding, ...]] = ("gzip",)
# Multipart is what Flatcar's reads where Flatcar runs (flatcar/coreos-cloudinit#21, in its images since mid-2023).
_FLATCAR: Final[tuple[Encoding, ...]] = ("gzip", "multipart")
# Who hands over text has no place for what is compressed.
_TEXT: Final[tuple[Encoding, ...]] = ("multipart",)
_FLATCAR_API: Final[tuple[Encoding, ...]] = ("gzip", "base64", "multipart")
_EC2 = "datasource/metadata/ec2/metadata.go"
_DRIVE = "datasource/configdrive/configdrive.go"
_GUEST = "datasource/vmware/vmware.go"
_DIGITALOCEAN = "datasource/metadata/digitalocean/metadata.go"
_CMDLINE = "datasource/proc_cmdline/proc_cmdline.go"
_EC2_DOCS = "EC2 User Guide"
_NOVA = Limit("OpenStack Compute API: user_data, at most 65535 bytes of base64", encoded=65535)
_IMDS = Fact("2009-04-04, without a token (IMDSv1)", _EC2)
_ENVIRONMENT = "COREOS_{} in /etc/environment, where the image wrote it"

_EC2_ADDRESSES = {
    "private_ipv4": Substitution("meta-data/local-ipv4", _EC2),
    "public_ipv4": Substitution("meta-data/public-ipv4", _EC2, sure=False),
}
_NO_METADATA = Fact(
    "there is no metadata: a substitution becomes an empty text",
    "coreos/bugs#97, coreos-cloudinit#337",
)
_CONFIG_DRIVE = "a drive labelled config-2 with openstack/latest/user_data"
_SERVICE = (
    "every process on the machine that reaches 169.254.169.254, and who may read the machine's settings by the API"
)
_DRIVE_READERS = Fact(
    "every process that may read the drive, who may read the settings of the machine, and who has its file",
    f"{_DRIVE}: a file system without permissions of its own",
)
_DISK_READERS = Fact("root on the machine, and who has its disk or image", "a file on the disk")


def _from_cmdline(how: str) -> Platform:
    return Platform(
        name=how,
        user_data=Fact("the URL of the kernel argument cloud-config-url=", _CMDLINE),
        encodings=_FLATCAR,
        readers=Fact(
            "everybody who reaches the server of the URL, which every process sees in /proc/cmdline", _CMDLINE
        ),
        quirks=(
            _NO_METADATA,
            Fact(
                "the root file system is in memory unless it is kept on a disk; the machine-id is new each boot",
                "Container Linux docs: PXE",
            ),
        ),
    )


_ALL: Final = (
    Platform(
        name="vagrant",
        readers=Fact(
            "root on the machine, and who may read the folder of the Vagrantfile", "coreos-vagrant Vagrantfile"
        ),
        user_data=Fact("/var/lib/coreos-vagrant/vagrantfile-user-data", "coreos-vagrant Vagrantfile"),
        encodings=_GZIP,
        substitutions={
            "private_ipv4": Substitution(_ENVIRONMENT.format("PRIVATE_IPV4"), "Documentation/cloud-config.md"),
            "public_ipv4": Substitution(_ENVIRONMENT.format("PUBLIC_IPV4"), "Documentation/cloud-config.md"),
        },
        quirks=(
            Fact("eth0 is 10.0.2.15 on every machine: flannel needs the interface of 172.17.8.x", "coreos-vagrant"),
            Fact(
                "changed user-data needs vagrant reload --provision", "coreos-vagrant Vagrantfile, a file provisioner"
            ),
        ),
    ),
    Platform(
        name="ec2",
        readers=Fact(
            f"{_SERVICE} (ec2:DescribeInstanceAttribute)",
            f"{_EC2_DOCS}, ec2-instance-metadata.html: not protected by authentication or cryptography",
        ),
        user_data=Fact("http://169.254.169.254/2009-04-04/user-data", _EC2),
        limit=Limit(f"{_EC2_DOCS}, instancedata-add-user-data.html: 16 KB, in raw form, before base64", raw=16384),
        encodings=_FLATCAR_API,
        substitutions=_EC2_ADDRESSES,
        metadata=_IMDS,
        quirks=(
            Fact("an instance that requires IMDSv2 tokens gives coreos-cloudinit nothing", _EC2),
            Fact(
                "169.254.169.123 tells the time, with smeared leap seconds, without a way to the internet",
                f"{_EC2_DOCS}, configure-ec2-ntp.html",
            ),
        ),
    ),
    Platform(
        name="openstack",
        readers=Fact(_SERVICE, f"{_EC2}, {_DRIVE}"),
        user_data=Fact("the EC2-compatible metadata service, or " + _CONFIG_DRIVE, f"{_EC2}, {_DRIVE}"),
        limit=_NOVA,
        encodings=_FLATCAR_API,
        substitutions={
            "private_ipv4": Substitution("meta-data/local-ipv4; nothing from a config drive", _EC2, sure=False),
            "public_ipv4": Substitution("meta-data/public-ipv4; nothing from a config drive", _EC2, sure=False),
        },
        metadata=_IMDS,
        quirks=(Fact("a config drive holds no addresses for coreos-cloudinit", "coreos/bugs#761, #774"),),
    ),
    Platform(
        name="gce",
        readers=Fact(
            "every process on the machine that reaches metadata.google.internal, and who may view the instance",
            "Compute Engine docs, About VM metadata: no authorization is needed on the machine",
        ),
        user_data=Fact(
            "http://metadata.google.internal/computeMetadata/v1/instance/attributes/user-data",
            "datasource/metadata/gce/metadata.go",
        ),
        limit=Limit("Compute Engine API, Metadata.items[].value: at most 262144 bytes", raw=262144),
        encodings=_TEXT,
        substitutions={
            "private_ipv4": Substitution("network-interfaces/0/ip", "datasource/metadata/gce/metadata.go"),
            "public_ipv4": Substitution(
                "network-interfaces/0/access-configs/0/external-ip", "datasource/metadata/gce/metadata.go", sure=False
            ),
        },
        metadata=Fact("computeMetadata/v1, header Metadata-Flavor: Google", "datasource/metadata/gce/metadata.go"),
        quirks=(
            Fact("no SSH keys come from the metadata; the host name is fully qualified", "datasource/metadata/gce"),
            Fact(
                "a value is text: nothing compressed can be handed over", "Compute Engine API, Metadata.items[].value"
            ),
            Fact(
                "metadata.google.internal tells the time, with smeared leap seconds; others must not be asked besides",
                "Compute Engine docs, Configure NTP on a VM",
            ),
        ),
    ),
    Platform(
        name="azure",
        readers=Fact(
            "root on the machine, and who may read the deployments of its resource group",
            "Azure Compute API, OSProfile.customData: a file on the machine, and not for secrets",
        ),
        user_data=Fact("/var/lib/waagent/CustomData", "datasource/waagent/waagent.go"),
        limit=Limit("Azure Compute API, OSProfile.customData: at most 65535 bytes before base64", raw=65535),
        encodings=_FLATCAR_API,
        substitutions={
            "private_ipv4": Substitution("the instance's address in SharedConfig.xml", "datasource/waagent/waagent.go"),
            "public_ipv4": Substitution(
                "a load-balanced endpoint in SharedConfig.xml", "datasource/waagent/waagent.go", sure=False
            ),
        },
        quirks=(
            Fact("custom data cannot change after the machine was made", "Azure Compute API, OSProfile.customData"),
            Fact("the network stalls for longer than etcd's default limits allow", "coreos/fleet#1289"),
        ),
    ),
    Platform(
        name="digitalocean",
        readers=Fact(_SERVICE, _DIGITALOCEAN),
        user_data=Fact("http://169.254.169.254/metadata/v1/user-data", _DIGITALOCEAN),
        limit=Limit("DigitalOcean API, droplet_create user_data: plain text of at most 64 KiB", raw=65536),
        encodings=_TEXT,
        substitutions={
            "public_ipv4": Substitution("interfaces.public[0].ipv4", _DIGITALOCEAN),
            "public_ipv6": Substitution("interfaces.public[0].ipv6", _DIGITALOCEAN, sure=False),
            "private_ipv4": Substitution("interfaces.private[0].ipv4", _DIGITALOCEAN, sure=False),
            "private_ipv6": Substitution("interfaces.private[0].ipv6", _DIGITALOCEAN, sure=False),
        },
        metadata=Fact("/metadata/v1.json", _DIGITALOCEAN),
        quirks=(
            Fact("user-data cannot change after the droplet was made", "DigitalOcean docs: How to Provide User Data"),
            Fact("private networking is an option of the droplet; without it $private_ipv4 is empty", _DIGITALOCEAN),
        ),
    ),
    Platform(
        name="rackspace",
        readers=_DRIVE_READERS,
        user_data=Fact(_CONFIG_DRIVE, _DRIVE),
        limit=_NOVA,
        encodings=_GZIP,
        substitutions={
            "private_ipv4": Substitution(
                _ENVIRONMENT.format("PRIVATE_IPV4"), "Documentation/cloud-config.md; coreos/bugs#757", sure=False
            ),
            "public_ipv4": Substitution(
                _ENVIRONMENT.format("PUBLIC_IPV4"), "Documentation/cloud-config.md; coreos/bugs#757", sure=False
            ),
        },
        quirks=(
            Fact(
                "boot with a config drive; the control panel cannot give user-data",
                "Container Linux docs: booting on Rackspace",
            ),
            Fact("OnMetal has no substitutions", "coreos/bugs#757"),
        ),
    ),
    Platform(
        name="brightbox",
        readers=Fact(_SERVICE, _EC2),
        user_data=Fact("http://169.254.169.254/2009-04-04/user-data (EC2-compatible)", _EC2),
        limit=Limit("terraform-provider-brightbox: user_data, at most 16384 bytes of base64", encoded=16384),
        encodings=_FLATCAR_API,
        substitutions=_EC2_ADDRESSES,
        metadata=_IMDS,
    ),
    Platform(
        name="vmware",
        readers=Fact(
            "every process on the machine that may call VMware's backdoor, and who may see the settings of the machine",
            _GUEST,
        ),
        user_data=Fact("guestinfo.coreos.config.data, or .url", _GUEST),
        encodings=_FLATCAR_API,
        substitutions={
            "private_ipv4": Substitution("guestinfo interface.N.ip.M.address with role private", _GUEST, sure=False),
            "public_ipv4": Substitution("guestinfo interface.N.ip.M.address with role public", _GUEST, sure=False),
            "private_ipv6": Substitution("guestinfo interface.N.ip.M.address with role private", _GUEST, sure=False),
            "public_ipv6": Substitution("guestinfo interface.N.ip.M.address with role public", _GUEST, sure=False),
        },
        quirks=(Fact("an interface without a role gives no address", "coreos/bugs#1505"),),
    ),
    Platform(
        name="qemu",
        readers=Fact("every process that may read the share or the drive, and who has its file on the host", _DRIVE),
        user_data=Fact("a 9p share or a drive labelled config-2 with openstack/latest/user_data", _DRIVE),
        encodings=_FLATCAR,
        quirks=(_NO_METADATA,),
    ),
    Platform(
        name="iso",
        readers=_DRIVE_READERS,
        user_data=Fact(_CONFIG_DRIVE, _DRIVE),
        encodings=_FLATCAR,
        quirks=(
            _NO_METADATA,
            Fact("bare metal needs the kernel argument coreos.configdrive=1", "Container Linux docs: config-drive"),
        ),
    ),
    _from_cmdline("pxe"),
    _from_cmdline("ipxe"),
    Platform(
        name="baremetal",
        readers=_DISK_READERS,
        user_data=Fact("/var/lib/coreos-install/user_data, written by the installer", "coreos-install -c"),
        encodings=_FLATCAR,
        quirks=(_NO_METADATA,),
    ),
    Platform(
        name="eucalyptus",
        readers=Fact(_SERVICE, _EC2),
        user_data=Fact("http://169.254.169.254/2009-04-04/user-data (EC2-compatible)", _EC2),
        limit=Limit("not documented; EC2's, whose interface it copies", raw=16384),
        encodings=("gzip", "base64"),
        substitutions=_EC2_ADDRESSES,
        metadata=_IMDS,
        quirks=(
            Fact("clients that send user-data in a GET request cut it off near 4 KB", "Eucalyptus client reports"),
        ),
    ),
    Platform(
        name="lab",
        readers=Fact("root on the machine, and who may read the folder of the lab", "docs/labs.md"),
        user_data=Fact(
            "a NoCloud seed, a folder that the lab hands to cloud-init: for that target only", "docs/labs.md"
        ),
        quirks=(
            Fact("addresses are known before the node is booted and filled in by coreops", "docs/labs.md"),
            Fact(
                "packages cannot be installed: node_etcd, Debian's package for cloud-init, is for other platforms",
                "docs/labs.md",
            ),
            Fact("swap, mounts of devices and time servers are written down and not used", "docs/labs.md"),
        ),
    ),
)
PLATFORMS: Final[dict[str, Platform]] = {platform.name: platform for platform in _ALL}


def find(name: str) -> Platform:
    """Return a platform. Raises InputError for a name that there is not."""
    if name not in PLATFORMS:
        raise InputError(
            f"there is no platform {name!r}",
            why=f"platforms: {', '.join(PLATFORMS)}",
            next=did_you_mean(name, PLATFORMS),
        )
    return PLATFORMS[name]
