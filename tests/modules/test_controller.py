"""assert, debug, fail and set_fact reach no node."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.errors import InputError
from tests.modules.harness import Node

NODE = Node("dash", Path("/nonexistent"))


def test_assert() -> None:
    good = NODE.run("assert", {"that": ["n > 2", "n < 9"], "success_msg": "fine"}, vars={"n": 3})
    assert (good.failed, good.message) == (False, "fine")
    assert NODE.run("assert", {"that": "n == 3", "quiet": True}, vars={"n": 3}).message == ""
    bad = NODE.run("assert", {"that": ["n > 2", "n > 5"], "msg": "too few"}, vars={"n": 3})
    assert (bad.failed, bad.message) == (True, "too few: n > 5 is not true")
    assert bad.data == {"assertion": "n > 5", "evaluated_to": False, "msg": "too few"}
    assert NODE.run("assert", {"that": False}).failed
    with pytest.raises(InputError, match="that"):
        NODE.run("assert", {"that": []})


SHOWN = {"_ansible_verbose_always": True}


def test_debug() -> None:
    assert NODE.run("debug").message == "Hello world!"
    assert NODE.run("debug", {"msg": {"a": [1]}}).data == {"msg": {"a": [1]}, **SHOWN}
    shown = NODE.run("debug", {"var": "x['y']"}, vars={"x": {"y": [1, 2]}})
    assert shown.data == {"x['y']": [1, 2], **SHOWN}
    assert NODE.run("debug", {"msg": "m", "verbosity": 2}, verbosity=1).skipped
    assert not NODE.run("debug", {"msg": "m", "verbosity": 2}, verbosity=2).skipped
    assert NODE.run("debug", "msg='a b'").message == "a b"
    with pytest.raises(InputError, match="one of them"):
        NODE.run("debug", {"msg": "m", "var": "x"})


def test_fail() -> None:
    assert NODE.run("fail").message == "Failed as requested from task"
    assert NODE.run("fail", {"msg": "no"}).failed


def test_set_fact() -> None:
    result = NODE.run("set_fact", {"a": [1, {"b": None}], "cacheable": True})
    assert result.data == {"ansible_facts": {"a": [1, {"b": None}]}}
    assert not result.changed
    for bad in ({}, {"a-b": 1}, {"cacheable": True}):
        with pytest.raises(InputError):
            NODE.run("set_fact", bad)
