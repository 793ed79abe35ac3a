"""A cluster in memory, as heal can see and change it; it checks the safety rules at every act."""

from __future__ import annotations

from dataclasses import dataclass, field

from coreops.healing.decide import Act, Forget, Rejoin, Remove
from coreops.healing.seen import Agent, Machine, Member, Seen
from coreops.store import quorum

AFTER = 600.0


@dataclass
class Box:
    """A machine. holds: the id of the member whose data it has; None: none. linked: the controller reaches it."""

    on: bool = True
    running: bool = True
    holds: int | None = None
    linked: bool = True
    listed: bool = True
    leased: bool = False
    silent: float = 0.0


@dataclass
class World:
    """etcd and a scheduler on a few machines, as heal can see and change them."""

    size: int
    boxes: dict[str, Box] = field(default_factory=dict)
    members: dict[int, str] = field(default_factory=dict)
    agents: set[str] = field(default_factory=set)
    next_id: int = 1

    def __post_init__(self) -> None:
        for number in range(self.size):
            name = f"n{number + 1}"
            self.boxes[name] = Box(holds=self.next_id)
            self.members[self.next_id] = name
            self.agents.add(name)
            self.next_id += 1

    def living(self, id: int) -> bool:
        box = self.boxes[self.members[id]]
        return box.on and box.running and box.holds == id

    @property
    def serves(self) -> bool:
        return sum(map(self.living, self.members)) >= quorum.quorum(len(self.members))

    def look(self) -> Seen:
        listed = {name: box for name, box in self.boxes.items() if box.listed}
        visible = self.serves and any(
            box.linked and box.on and box.running and box.holds in self.members for box in listed.values()
        )
        members = tuple(
            Member(id=id, name=name, host=name if name in listed else "", healthy=self.living(id))
            for id, name in self.members.items()
        )
        return Seen(
            machines=tuple(
                Machine(
                    host=name,
                    store=True,
                    answers=box.on and box.linked,
                    why="no answer",
                    registered=box.on and visible,
                    data=box.holds is not None,
                    active=box.running,
                    leased="an upgrade" if box.leased else "",
                    silent=box.silent,
                )
                for name, box in listed.items()
            ),
            members=members if visible else None,
            agents=tuple(
                Agent(name=name, host=name if name in listed else "", ready=self.boxes[name].on)
                for name in sorted(self.agents)
            ),
            registered=frozenset(name for name, box in self.boxes.items() if box.on) if visible else frozenset(),
            scheduler="swarm",
        )

    def tick(self) -> None:
        alive = self.look().alive
        for name, box in self.boxes.items():
            box.silent = 0.0 if name in alive else box.silent + AFTER / 2

    def act(self, act: Act) -> None:
        before = self.serves
        held = [name for name, box in self.boxes.items() if box.leased and box.listed]
        if isinstance(act, Forget):
            assert not self.boxes[act.name].on, "a scheduler node that lives was removed"
            assert act.name not in held
            self.agents.discard(act.name)
            return
        assert not held, "the membership was changed under an upgrade"
        if isinstance(act, Remove):
            assert not self.living(act.id), "a member that lives was removed"
            self.remove(act.id)
        else:
            self.rejoin(act)
        assert self.serves or not before, "an act cost the quorum"

    def remove(self, id: int) -> None:
        assert self.serves
        del self.members[id]

    def rejoin(self, act: Rejoin) -> None:
        """What bootstrap does, by its own rules."""
        for host in act.hosts:
            box = self.boxes[host]
            assert box.on
            assert box.linked
            if box.holds in self.members:
                box.running = True
                self.agents.add(host)
                continue
            for id in [id for id, name in self.members.items() if name == host]:
                self.remove(id)
                assert self.serves, "removing a lost member cost the quorum"
        for host in act.hosts:
            box = self.boxes[host]
            if box.holds not in self.members:
                assert all(map(self.living, self.members)), "etcd would refuse a learner now"
                self.members[self.next_id] = host
                box.holds, box.running = self.next_id, True
                self.next_id += 1


def three(**changes: Machine) -> Seen:
    machines = {f"n{i}": Machine(host=f"n{i}", store=True, answers=True, registered=True, data=True) for i in (1, 2, 3)}
    members = tuple(Member(id=i, name=f"n{i}", host=f"n{i}", healthy=f"n{i}" not in changes) for i in (1, 2, 3))
    return Seen(machines=tuple((machines | changes).values()), members=members, registered=frozenset(machines))
