"""Two programs on the nodes ask the store, each from one file that needs no other. How they ask is the same text."""

from __future__ import annotations

import re
from pathlib import Path

FILES = Path(__file__).parents[3] / "playbooks" / "files"


def function(text: str, name: str) -> str:
    found = re.search(rf"^{name}\(\) \{{.*?(?: \}}|^\}})$", text, re.M | re.S)
    assert found, name
    return found[0]


def test_the_store_is_asked_in_one_way() -> None:
    agent, register = ((FILES / name).read_text() for name in ("units/agent.sh", "registration/register.sh"))
    for name in ("tell", "b64", "call"):
        assert function(agent, name) == function(register, name), f"{name}() of the two has come apart"
