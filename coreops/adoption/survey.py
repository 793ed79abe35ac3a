"""From candidates to what is proposed for each: connects to all of them at once, changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coreops.adoption.candidate import Answer, Candidate
from coreops.adoption.decide import Proposal, Refused, Register, apart
from coreops.adoption.look import look


def survey(
    register: Register, candidates: Sequence[Candidate], connection: Mapping[str, Any]
) -> list[Proposal | Refused]:
    """What each candidate is. connection: defaults for ``inventory.target``. Raises InputError."""
    guesses = [register.guess(each) for each in candidates]
    words = {
        str(each): guess if guess and guesses.count(guess) == 1 else str(each)
        for each, guess in zip(candidates, guesses, strict=True)
    }
    asked = {words[str(each)]: (each.address, each.port) for each in candidates}
    answers = look(register.inventory, asked, connection)

    def found(each: Candidate) -> Proposal | Refused:
        answer = answers[words[str(each)]]
        return register.decide(each, answer) if isinstance(answer, Answer) else Refused(each, answer)

    return apart(found(each) for each in candidates)
