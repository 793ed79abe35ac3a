"""What coreops renders passes its own judge, for every target, platform and role."""

from __future__ import annotations

import gzip

import pytest

from coreops.cloudconfig.validate.check import judge
from tests.cloudconfig.support import FULL, HOSTILE, PLAIN, PLATFORMS, ROLES, TARGETS, node, rendered

ALL = (None, *PLATFORMS)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_every_render_is_good_and_is_told(target: str) -> None:
    wrong = []
    for inventory in (PLAIN, FULL):
        for role in ROLES:
            for platform in ALL:
                data = rendered(inventory, role, target, platform).data
                where = PLATFORMS[platform] if platform else None
                for each in (data, gzip.compress(data, mtime=0)):
                    verdict = judge(each, f"{role}-{platform}", where)
                    assert verdict.kind == target
                    wrong += [str(finding) for finding in verdict.findings if finding.severity == "error"]
    assert wrong == []


@pytest.mark.parametrize("target", TARGETS)
def test_hostile_values_are_good_too(target: str) -> None:
    verdict = judge(TARGETS[target](node(HOSTILE)).data, "f")
    assert verdict.kind == target
    assert [str(finding) for finding in verdict.findings if finding.severity == "error"] == []
