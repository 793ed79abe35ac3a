"""YAML and INI inventories as Ansible users write them. Reads files, opens no connections.

``load_inventory`` makes an Inventory; ``target`` says how to reach one of its hosts.
"""

from coreops.inventory.addresses import SharedAddress, duplicate_addresses
from coreops.inventory.aliases import SECRETS
from coreops.inventory.data import Group, Host, Setting
from coreops.inventory.inventory import Inventory
from coreops.inventory.load import load_inventory, lookups
from coreops.inventory.target import target

__all__ = [
    "SECRETS",
    "Group",
    "Host",
    "Inventory",
    "Setting",
    "SharedAddress",
    "duplicate_addresses",
    "load_inventory",
    "lookups",
    "target",
]
