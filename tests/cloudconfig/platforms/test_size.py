"""Fitting user-data into what a platform takes, to the byte."""

from __future__ import annotations

import gzip
import random

import pytest

from coreops.cloudconfig.platforms.platform import Fact, Limit, Platform
from coreops.cloudconfig.platforms.records import PLATFORMS
from coreops.cloudconfig.platforms.size import fit

NOISE = random.Random(1).randbytes(70_000)


@pytest.mark.parametrize(("size", "over"), [(16383, 0), (16384, 0), (16385, 1)])
def test_the_raw_limit(size: int, over: int) -> None:
    plain = Platform(name="p", user_data=Fact("a", "b"), limit=Limit("s", raw=16384))
    assert fit(NOISE[:size], plain, "coreos").over == over


@pytest.mark.parametrize(("size", "over"), [(49151, 0), (49149, 0), (49152, 1), (49153, 5)])
def test_the_encoded_limit(size: int, over: int) -> None:
    plain = Platform(name="p", user_data=Fact("a", "b"), limit=Limit("s", encoded=65535 if size > 49151 else 65536))
    assert fit(NOISE[:size], plain, "coreos").over == over


def test_what_fits_is_left_as_it_is() -> None:
    assert fit(b"a" * 16384, PLATFORMS["ec2"], "coreos").data == b"a" * 16384


def test_what_does_not_fit_is_compressed_the_same_way_every_time() -> None:
    fits = fit(b"a" * 16385, PLATFORMS["ec2"], "coreos")
    assert fits.zipped
    assert gzip.decompress(fits.data) == b"a" * 16385
    assert fits.data[4:8] == b"\0\0\0\0", "a time would make every render differ"
    assert fits == fit(b"a" * 16385, PLATFORMS["ec2"], "coreos")


def test_ignition_takes_its_config_as_it_is() -> None:
    fits = fit(b"a" * 16385, PLATFORMS["ec2"], "ignition")
    assert (fits.zipped, fits.over) == (False, 1)


def test_butane_is_handed_to_no_machine() -> None:
    assert fit(NOISE, PLATFORMS["ec2"], "butane").over == 0


def test_what_cannot_be_compressed_says_by_how_much_it_is_over() -> None:
    fits = fit(NOISE[:16390], PLATFORMS["ec2"], "coreos")
    assert not fits.zipped
    assert (fits.over, fits.most) == (6, 16384)


def test_no_limit_takes_all() -> None:
    assert fit(NOISE, PLATFORMS["lab"], "coreos").over == 0
