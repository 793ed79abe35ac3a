"""Whether a process that signed a lease on this machine is gone."""

from __future__ import annotations

import subprocess
from dataclasses import replace

from coreops.upgrade.ledger.holder import Holder, _machine, _started
from coreops.upgrade.ledger.protocol import Lease


def signed(holder: Holder) -> Lease:
    return Lease(node="n1", run=holder.run, owner=holder.owner, pid=holder.pid, home=holder.home)


def test_two_sessions_of_one_process_differ() -> None:
    one, two = Holder.here("r"), Holder.here("r")
    assert one.session != two.session
    assert one.home == two.home
    assert not two.knows_gone(signed(one))


def test_a_process_that_ended_is_gone_and_one_with_its_number_is_another() -> None:
    here = Holder.here("r")
    with subprocess.Popen(["sleep", "60"]) as child:
        other = replace(here, pid=child.pid, home=f"{_machine()}/{_started(child.pid)}")
        assert not here.knows_gone(signed(other))
        assert here.knows_gone(signed(replace(other, home=f"{_machine()}/1")))
        child.kill()
        child.wait()
    assert here.knows_gone(signed(other))


def test_nothing_is_known_of_other_machines() -> None:
    here = Holder.here("r")
    assert not here.knows_gone(replace(signed(here), pid=2**22 + 1, home="another-boot/pid:[1]/5"))
    assert not here.knows_gone(replace(signed(here), pid=2**22 + 1, home=""))
    assert not replace(here, home="").knows_gone(replace(signed(here), home=""))
