import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.store import quorum as q

voters_and_healthy = st.integers(1, 9).flatmap(
    lambda n: st.tuples(st.just(frozenset(range(n))), st.frozensets(st.integers(0, n - 1)))
)


@pytest.mark.parametrize(
    ("size", "quorum", "tolerance"), [(1, 1, 0), (2, 2, 0), (3, 2, 1), (4, 3, 1), (5, 3, 2), (7, 4, 3)]
)
def test_numbers(size: int, quorum: int, tolerance: int) -> None:
    assert q.quorum(size) == quorum
    assert q.tolerance(size) == tolerance


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_good_sizes(size: int) -> None:
    q.check_size(size)


@pytest.mark.parametrize(
    ("size", "reason", "advice"),
    [
        (0, "no member", "use 1 members"),
        (2, "exactly as 1 would", "use 1 or 3"),
        (4, "exactly as 3 would", "use 3 or 5"),
        (6, "exactly as 5 would", "use 5 or 7"),
        (9, "slower", "use 7 members"),
    ],
)
def test_refused_sizes_say_why(size: int, reason: str, advice: str) -> None:
    with pytest.raises(InputError) as caught:
        q.check_size(size, where="hosts.yml")
    assert reason in (caught.value.why or "")
    assert advice in (caught.value.next or "")
    assert caught.value.where == "hosts.yml"


@given(voters_and_healthy, st.data())
def test_an_allowed_stop_never_loses_quorum(state: tuple[frozenset[int], frozenset[int]], data: st.DataObject) -> None:
    voters, healthy = state
    member = data.draw(st.sampled_from(sorted(voters)))
    if q.may_stop(voters, healthy, member) and q.has_quorum(voters, healthy) and len(voters) > 1:
        assert q.has_quorum(voters, healthy - {member})


@given(voters_and_healthy, st.data())
def test_an_allowed_removal_never_loses_quorum(
    state: tuple[frozenset[int], frozenset[int]], data: st.DataObject
) -> None:
    voters, healthy = state
    member = data.draw(st.sampled_from(sorted(voters)))
    if q.may_remove(voters, healthy, member):
        assert len(voters) > 1
        assert q.has_quorum(voters, healthy)
        assert q.has_quorum(voters - {member}, healthy - {member})


@given(voters_and_healthy)
def test_tolerance_is_what_quorum_leaves(state: tuple[frozenset[int], frozenset[int]]) -> None:
    voters, healthy = state
    assert q.has_quorum(voters, healthy) == (len(voters) - len(healthy) <= q.tolerance(len(voters)))


def test_the_leader_restarts_last_and_the_dead_first() -> None:
    assert q.restart_order([1, 2, 3], healthy=[1, 3], leader=1) == (2, 3, 1)


def test_adding_wants_every_voter() -> None:
    assert q.may_add([1, 2, 3], [1, 2, 3, 9])
    assert not q.may_add([1, 2, 3], [1, 2])
    assert not q.may_add([], [])


def test_single_member_may_be_stopped_but_not_removed() -> None:
    assert q.may_stop([1], [1], 1)
    assert not q.may_remove([1], [1], 1)
