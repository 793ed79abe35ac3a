"""Runs inside cloud-init's own Python: ``reader.py WHAT FILE-OR-TEXT`` reads as cloud-init does and prints JSON.

mime FILE: the parts. guestinfo FILE: what the VMware source gets of a .vmx file, through a stand-in for VMware's tool.
seed URL: what NoCloud fetches. arguments TEXT: what NoCloud takes from a kernel command line or an SMBIOS serial.
folder DIR: what NoCloud takes from a drive.
"""

import base64
import json
import sys
import time
from types import ModuleType

# The VMware source looks at network cards with it; what is asked here has none.
sys.modules["netifaces"] = ModuleType("netifaces")

from cloudinit import user_data, util  # noqa: E402
from cloudinit.sources import DataSourceNoCloud, DataSourceVMware  # noqa: E402


class Paths:
    """Where cloud-init would keep what it includes; nothing here includes anything."""

    def __getattr__(self, name):
        return lambda *_: "/nonexistent"


def text(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def mime(path):
    with open(path, "rb") as stream:
        found = user_data.UserDataProcessor(Paths()).process(stream.read())
    parts = [part for part in found.walk() if part.get_content_maintype() != "multipart"]
    return [[each.get_content_type(), each.get_filename(), text(util.fully_decoded_payload(each))] for each in parts]


def guestinfo(tool):
    return {key: DataSourceVMware.guestinfo(key, tool) for key in ("userdata", "metadata", "vendordata")}


def seed(url):
    began = time.monotonic()
    meta, user, vendor = util.read_seeded(url, timeout=5, retries=10)[:3]
    return [meta, text(user), text(vendor or ""), time.monotonic() - began]


def arguments(line):
    found = {}
    known = DataSourceNoCloud.parse_cmdline_data("ds=nocloud-net", found, line)
    return found if known else None


def folder(path):
    found = util.pathprefix2dict(path, required=["user-data", "meta-data"], optional=["vendor-data", "network-config"])
    return {name: text(data) for name, data in found.items()} | {"parsed": util.load_yaml(found["meta-data"])}


# What cloud-init itself prints must not be in the way.
out, sys.stdout = sys.stdout, sys.stderr
json.dump(globals()[sys.argv[1]](sys.argv[2]), out)
