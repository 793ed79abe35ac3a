"""The table of platforms is whole, and names are forgiving."""

from __future__ import annotations

import pytest

from coreops.cloudconfig.platforms.platform import VARIABLES, Platform
from coreops.cloudconfig.platforms.records import PLATFORMS, find
from coreops.errors import InputError

NAMES = (
    "vagrant ec2 openstack gce azure digitalocean rackspace brightbox vmware qemu iso pxe ipxe baremetal eucalyptus lab"
)


def test_all_are_there() -> None:
    assert " ".join(PLATFORMS) == NAMES


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=lambda platform: platform.name)
def test_every_fact_has_a_source(platform: Platform) -> None:
    assert not platform.readers.source.startswith("assumed")
    facts = [
        platform.user_data,
        platform.readers,
        *platform.quirks,
        *([platform.metadata] if platform.metadata else []),
    ]
    assert all(fact.text and fact.source for fact in facts)
    assert all(each.origin and each.source for each in platform.substitutions.values())
    assert set(platform.substitutions) <= set(VARIABLES)
    assert platform.limit is None or (
        platform.limit.source and bool(platform.limit.raw) != bool(platform.limit.encoded)
    )


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        find("vmwear")
    assert "did you mean 'vmware'?" in str(caught.value)
    assert "digitalocean" in str(caught.value)
