"""What a fake command line and its test share: a cloud in a file, for one at a time. Stdlib only, and quick to load."""

import fcntl
import json
import os
from contextlib import contextmanager

EMPTY = {"machines": {}, "told": {}, "asked": [], "lose": 0, "refuse": None, "blind": 0, "out": None}


@contextmanager
def opened(folder):
    """The state: a dict that is written back."""
    with open(f"{folder}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = f"{folder}/state.json"
        state = json.loads(json.dumps(EMPTY))
        if os.path.exists(path):
            with open(path) as stream:
                state = json.load(stream)
        yield state
        with open(path, "w") as stream:
            json.dump(state, stream)


def flags_of(arguments, known):
    """(words, flags) of a command line; a flag that is not known is an error as the real programs have it."""
    words, flags, rest = [], {}, list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            words.append(word)
            continue
        name, has, value = word.partition("=")
        if name not in known:
            raise SystemExit(f"ERROR: unrecognized arguments: {name}")
        if known[name] == 0:
            flags[name] = True
        elif has:
            flags[name] = value
        else:
            flags[name] = rest.pop(0)
            while known[name] == 2 and rest and not rest[0].startswith("--"):
                flags[name] += "\n" + rest.pop(0)
    return words, flags
