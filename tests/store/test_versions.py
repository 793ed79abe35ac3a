import pytest

from coreops.errors import ExitCode, RefusedError
from coreops.store import versions


@pytest.mark.parametrize(
    ("running", "wanted", "minor"),
    [
        ([], "3.5.1", False),
        (["3.5.1"], "3.5.17", False),
        (["3.5.17"], "3.5.1", False),
        (["3.4.23"], "3.5.17", True),
        (["3.5.1", "3.4.23", "3.4.23"], "3.5.1", True),
        (["3.5.32"], "3.6.4", True),
    ],
)
def test_allowed(running: list[str], wanted: str, minor: bool) -> None:
    assert versions.check(running, wanted) is minor


@pytest.mark.parametrize(
    ("running", "wanted", "reason"),
    [
        (["3.5.1"], "3.4.23", "downgrade"),
        (["3.6.0", "3.5.40"], "3.5.40", "downgrade"),
        (["3.4.23"], "3.6.1", "one minor"),
        (["3.5.32", "3.5.31"], "3.6.1", "3.5.32"),
        (["3.6.1"], "4.0.0", "one minor"),
    ],
)
def test_refused(running: list[str], wanted: str, reason: str) -> None:
    with pytest.raises(RefusedError) as caught:
        versions.check(running, wanted)
    assert reason in str(caught.value)
    assert caught.value.exit_code == ExitCode.REFUSED


def test_releases_that_corrupt() -> None:
    assert [v for v in ("3.4.23", "3.5.0", "3.5.1", "3.5.2", "3.5.3", "3.6.0") if versions.corrupts(v)] == [
        "3.5.0",
        "3.5.1",
        "3.5.2",
    ]


def test_safety_flags_follow_the_version() -> None:
    assert versions.flags("3.5.1") == {"ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK": "true"}
    assert versions.flags("3.6.0") == {}
