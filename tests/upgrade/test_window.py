from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.upgrade.window import Window, closes_at, open_at, opens_at

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")
YEARS = st.floats(datetime(2019, 1, 1, tzinfo=UTC).timestamp(), datetime(2031, 1, 1, tzinfo=UTC).timestamp())
windows = st.builds(
    Window,
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.integers(0, 1440),
    st.sampled_from(ZONES),
).filter(lambda window: window.start != window.end)


def at(text: str, zone: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("Sat 02:00-05:00 Europe/Berlin", Window(frozenset({5}), 120, 300, "Europe/Berlin")),
        ("Mon-Fri 22:00-04:00 UTC", Window(frozenset(range(5)), 1320, 240)),
        ("daily 01:00-03:00", Window(frozenset(range(7)), 60, 180)),
        ("1:00-3:00", Window(frozenset(range(7)), 60, 180)),
        ("fri-mon, Wednesday 00:00-24:00", Window(frozenset({4, 5, 6, 0, 2}), 0, 1440)),
        ("  SUN   02:00 - 03:00  UTC ", Window(frozenset({6}), 120, 180)),
    ],
)
def test_reads_windows(text, means):
    assert Window.parse(text) == means


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a maintenance window"),
        ("Sat", "is not a maintenance window"),
        ("Sat 02:00", "is not a maintenance window"),
        ("Sat 02:00-05:00 Europe/Berlin now", "is not a maintenance window"),
        ("Sat 02:00-05:00\n$(reboot)", "is not a time zone"),
        ("Sta 02:00-05:00", "did you mean 'Sat'"),
        ("Sat- 02:00-05:00", "'' is not a day"),
        ("Mon-Tue-Wed 02:00-05:00", "is not a range of days"),
        ("Sat 02:60-05:00", "02:60 is not a time of day"),
        ("Sat 24:01-05:00", "24:01 is not a time of day"),
        ("Sat 24:00-05:00", "starts at 24:00"),
        ("Sat 02:00-02:00", "can never open"),
        ("Sat 02:00-05:00 Europe/Berln", "did you mean 'Europe/Berlin'"),
        ("Sat 02:00-05:00 ../../etc/passwd", "is not a time zone"),
        ("Sat 02:00-05:00 Europe", "is not a time zone"),
    ],
)
def test_refuses_what_is_none(text, says):
    with pytest.raises(InputError, match=r"^--window: ") as caught:
        Window.parse(text, "--window")
    assert says in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_a_window_or_an_error(text):
    with suppress(InputError):
        Window.parse(text)


@given(windows)
def test_what_it_says_of_itself_means_the_same(window):
    assert Window.parse(str(window)) == window


def test_midnight_wrap():
    window = Window.parse("Fri 22:00-04:00")
    friday, saturday = at("2026-11-20T22:00"), at("2026-11-21T04:00")
    assert window.contains(friday)
    assert window.contains(saturday - 1)
    assert not window.contains(saturday)
    assert not window.contains(friday - 1)
    assert not window.contains(at("2026-11-20T03:00"))
    assert window.closes(friday + 60) == saturday
    assert window.closes(saturday) is None
    assert window.opens(saturday) == at("2026-11-27T22:00")
    assert window.opens(friday + 5) == friday + 5


@pytest.mark.parametrize(
    ("text", "day", "opening"),
    [
        # the clocks go from 02:00 to 03:00 at 01:00 UTC
        ("Sun 02:00-05:00 Europe/Berlin", "2026-03-29", ("2026-03-29T01:00", "2026-03-29T03:00")),
        ("Sun 02:30-05:00 Europe/Berlin", "2026-03-29", ("2026-03-29T01:00", "2026-03-29T03:00")),
        ("Sun 01:00-02:30 Europe/Berlin", "2026-03-29", ("2026-03-29T00:00", "2026-03-29T01:00")),
        # and back from 03:00 to 02:00 at 01:00 UTC: the hour from 02:00 comes twice
        ("Sun 02:00-03:00 Europe/Berlin", "2026-10-25", ("2026-10-25T00:00", "2026-10-25T02:00")),
        ("Sun 01:00-02:30 Europe/Berlin", "2026-10-25", ("2026-10-24T23:00", "2026-10-25T01:30")),
        # half an hour, at the other end of the world
        ("Sun 02:00-03:00 Australia/Lord_Howe", "2026-10-04", ("2026-10-03T15:30", "2026-10-03T16:00")),
    ],
)
def test_days_on_which_the_clocks_change(text, day, opening):
    window = Window.parse(text)
    start, end = (at(moment) for moment in opening)
    assert window.opens(start - 3600 * 5) == start
    assert window.closes(start) == end
    assert not window.contains(start - 1)
    assert window.contains(end - 1)
    assert not window.contains(end)


def test_an_opening_that_the_clocks_skip_is_not_there():
    window = Window.parse("Sun 02:15-02:45 Europe/Berlin")
    assert window.opens(at("2026-03-28T00:00")) == at("2026-04-05T02:15", "Europe/Berlin")
    assert not window.contains(at("2026-03-29T01:00"))


def test_openings_that_touch_are_one():
    pair = [Window.parse("Sat 22:00-24:00"), Window.parse("Sun 00:00-04:00")]
    assert closes_at(pair, at("2026-11-21T23:00")) == at("2026-11-22T04:00")
    assert closes_at(pair[:1], at("2026-11-21T23:00")) == at("2026-11-22T00:00")
    always = Window.parse("daily 00:00-24:00").closes(at("2026-11-21T23:00"))
    assert always is not None
    assert always > at("2026-11-28T23:00")


def test_no_windows_are_always_open():
    assert open_at((), 5.0)
    assert closes_at((), 5.0) is None
    assert opens_at((), 5.0) == 5.0


@given(st.lists(windows, min_size=1, max_size=3), YEARS)
def test_the_answers_agree_with_each_other(some, wall):
    assert open_at(some, wall) == any(window.contains(wall) for window in some)
    opens, closes = opens_at(some, wall), closes_at(some, wall)
    assert closes is not None
    assert open_at(some, opens)
    assert (opens == wall) == open_at(some, wall) == (closes > wall)
    if opens > wall:
        assert not open_at(some, (wall + opens) / 2)
        assert not open_at(some, opens - 0.001)
    else:
        assert open_at(some, (wall + closes) / 2)
        assert open_at(some, closes - 0.001)


@given(windows, YEARS)
def test_an_opening_begins_and_ends_on_the_clock_on_the_wall(window, wall):
    """By the local clock it starts at the start on a day of the window, or, in a gap, at the first moment after it."""
    zone = ZoneInfo(window.zone)
    opens = window.opens(wall)
    if opens == wall:
        return
    local = datetime.fromtimestamp(opens, zone)
    meant = local.replace(hour=0, minute=0, second=0, tzinfo=None) + timedelta(minutes=window.start)
    before = datetime.fromtimestamp(opens - 1, zone)
    if local.replace(tzinfo=None) == meant:
        assert local.weekday() in window.days
    else:
        assert local.utcoffset() != before.utcoffset(), "neither the start nor a change of the clocks"
