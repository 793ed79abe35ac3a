"""How the image of a release behaves once it is booted. Data about simulated releases; knows no node and no time."""

from __future__ import annotations

from dataclasses import dataclass

NEVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a node that boots the image does.

    boots: the kernel gets to the end; otherwise the firmware chooses again. slow: seconds longer than usual, either
    way. sshd, etcd: these come up. renames: the version the image was published under is the one it reports.
    resets: seconds after coming up at which the node resets by
    itself, unless the slot is marked good by then. ill: spells of bad health, seconds after
    coming up. arrives: the image reads back as it was sent.
    """

    boots: bool = True
    slow: float = 0.0
    sshd: bool = True
    etcd: bool = True
    renames: bool = True
    resets: float = NEVER
    ill: tuple[tuple[float, float], ...] = ()
    arrives: bool = True

    @property
    def good(self) -> bool:
        """An operator would want to keep it."""
        comes_up = self.arrives and self.boots and self.sshd and self.etcd
        return comes_up and self.renames and self.resets == NEVER and not self.ill

    def well(self, age: float) -> bool:
        """Are the services fine ``age`` seconds after coming up?"""
        return not any(start <= age < end for start, end in self.ill)


@dataclass(frozen=True, slots=True)
class Image:
    """The file system of one slot."""

    version: str
    sha256: str
    behaviour: Behaviour = Behaviour()

    @property
    def reports(self) -> str:
        """The version os-release names."""
        return self.version if self.behaviour.renames else "1.0.0"


GOOD = Behaviour()
BAD: dict[str, Behaviour] = {
    "never boots": Behaviour(boots=False),
    "ends in an emergency shell": Behaviour(boots=False, slow=360.0),
    "no sshd": Behaviour(sshd=False),
    "no etcd": Behaviour(etcd=False),
    "reports the old version": Behaviour(renames=False),
    "resets by itself": Behaviour(resets=20.0),
    "resets late": Behaviour(resets=55.0),
    "boots slower than anybody waits": Behaviour(slow=1500.0),
    "health flaps": Behaviour(ill=tuple((5.0 + 25 * n, 17.0 + 25 * n) for n in range(40))),
    "turns bad after a while": Behaviour(ill=((30.0, NEVER),)),
    "arrives broken": Behaviour(arrives=False),
}
"""Every way a release can be bad, by name."""
