"""What cloud-init says of a node's boot, and what of it the document is to blame for."""

from __future__ import annotations

from coreops.providers.namespace.cloud_init import Report, complaints

OLD = """\
2026-11-21 10:00:00,100 - util.py[DEBUG]: Cloud-init v. 22.4.2 running 'init-local' at Sat, 21 Nov 2026.
2026-11-21 10:00:01,100 - util.py[WARNING]: of an earlier boot
"""
NEW = """\
2026-11-21 10:10:00,100 - util.py[DEBUG]: Cloud-init v. 22.4.2 running 'init-local' at Sat, 21 Nov 2026.
2026-11-21 10:10:01,100 - schema.py[WARNING]: Invalid cloud-config provided
2026-11-21 10:10:01,200 - cc_mounts.py[WARNING]: Activate mounts: FAIL:swapon -a
2026-11-21 10:10:01,201 - util.py[WARNING]: Activate mounts: FAIL:swapon -a
2026-11-21 10:10:01,300 - subp.py[DEBUG]: a command that prints [WARNING]: nothing
Traceback (most recent call last):
2026-11-21 10:10:02,000 - main.py[ERROR]: failed stage
"""


def test_complaints_are_those_of_the_last_boot_each_once() -> None:
    found = complaints(OLD + NEW)
    assert found == ("Invalid cloud-config provided", "Activate mounts: FAIL:swapon -a", "failed stage")
    assert complaints("") == ()
    # A log that lost its beginning (rotated, or cut) is taken whole.
    assert complaints(NEW.partition("\n")[2]) == found


def test_what_a_namespace_cannot_do_is_no_trouble() -> None:
    swap = Report(warnings=("Activate mounts: FAIL:swapon -a",))
    assert swap.troubles == ()
    both = Report(errors=("broken",), warnings=("Activate mounts: FAIL:swapon -a", "other"))
    assert both.troubles == ("broken", "other")
