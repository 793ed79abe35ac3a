"""The way to the store: the next host when one does not answer, and the one that answered goes first from then on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coreops.errors import UnreachableError
from coreops.model import ShellStep
from coreops.transport.fake import FakeTransport, Fault
from coreops.upgrade.cluster.asking import Asking

from .conftest import targets

WHO = [ShellStep(id="who", title="who", act='basename "$COREOPS_ROOT"')]


@pytest.fixture
def asking(hosts: FakeTransport) -> Iterator[Asking]:
    made = Asking(targets(), run="test", transport=hosts)
    yield made
    made.close()


def test_one_host_is_asked_and_goes_on_being_asked(asking: Asking, hosts: FakeTransport) -> None:
    assert asking.one(WHO)["who"].stdout == b"n1\n"
    assert asking.one(WHO)["who"].stdout == b"n1\n"
    assert hosts.attempts == {"n1": 1}


def test_the_next_host_answers_instead_and_stays_first(asking: Asking, hosts: FakeTransport) -> None:
    hosts.faults["n1"] = Fault(refuse="tcp")
    assert asking.one(WHO)["who"].stdout == b"n2\n"
    assert asking.one(WHO)["who"].stdout == b"n2\n"
    assert hosts.attempts == {"n1": 1, "n2": 1}


def test_a_host_that_dies_under_the_question_is_left_for_the_next(asking: Asking, hosts: FakeTransport) -> None:
    hosts.faults["n1"] = Fault(drop_before=b"n1", times=1)
    assert asking.one(WHO)["who"].stdout == b"n2\n"


def test_when_nobody_answers_everybody_is_named(asking: Asking, hosts: FakeTransport) -> None:
    hosts.faults.update(dict.fromkeys(targets(), Fault(refuse="tcp")))
    with pytest.raises(UnreachableError) as caught:
        asking.one(WHO)
    assert caught.value.where == "n1, n2, n3"


def test_a_step_that_fails_is_an_answer(asking: Asking) -> None:
    assert asking.one([ShellStep(id="no", title="no", act="exit 7")])["no"].rc == 7


def test_each_host_has_its_own_answer(asking: Asking, hosts: FakeTransport) -> None:
    hosts.faults["n2"] = Fault(refuse="auth")
    found = asking.each(dict.fromkeys(targets(), WHO))
    assert isinstance(found["n2"], UnreachableError)
    assert found["n3"]["who"].stdout == b"n3\n"  # type: ignore[index]
