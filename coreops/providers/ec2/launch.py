"""From a request to a machine that EC2 shows, once per node whatever is lost on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from coreops.errors import CoreopsError
from coreops.providers.ec2 import machines, request
from coreops.providers.ec2.failures import code, ended
from coreops.providers.ec2.looks import Instance, Looks
from coreops.providers.ec2.patience import Patience
from coreops.providers.ec2.settings import Settings
from coreops.providers.protocol import Wanted, mark

GENERATIONS = 1000
"""How often one node may be made anew within the time that EC2 remembers its tokens."""


class Launch:
    """One node's way into being. botocore's errors pass."""

    def __init__(self, client: Any, looks: Looks, wanted: Wanted, patience: Patience) -> None:
        self._client = client
        self._looks = looks
        self._wanted = wanted
        self._patience = patience

    def launched(self, settings: Settings, image: str, groups: tuple[str, ...], known: Iterable[Instance]) -> Instance:
        """Ask for the machine by the first token that is not spent, and wait for it. known: its dead ones."""
        spent = {each.get("ClientToken") for each in known}
        for generation in range(GENERATIONS):
            if request.token(self._wanted, generation) in spent:
                continue
            asked = request.run_instances(self._wanted, settings, image, groups, generation)
            machine = self._asked(asked)
            if machine is not None and (instance := self._seen(machine)) is not None:
                return instance
        raise CoreopsError(
            f"EC2 remembers {GENERATIONS} machines of this node that have ended",
            where=self._wanted.node,
            next="give the node another name, or wait a day",
        )

    def _asked(self, asked: request.Parameters) -> str | None:
        """The machine that the token stands for, made now or before; None when that one has ended."""
        from botocore.exceptions import ClientError

        try:
            instance = self._run(asked)
        except ClientError as error:
            if code(error) == "IdempotentInstanceTerminated":
                return None
            if code(error) != "IdempotentParameterMismatch":
                raise
            # The variables changed since the token was used. Its machine may be there and not be shown yet.
            token = asked["ClientToken"]
            found = self._patience.until(self._patience.appear, lambda: self._by_token(token))
            return None if found is None else _if_alive(found)
        return _if_alive(instance)

    def _run(self, asked: request.Parameters) -> Instance:
        """Send it. The fixed address of a machine that was ended just now is free only when that one is gone."""
        from botocore.exceptions import ClientError

        refusal: list[ClientError] = []

        def send() -> Instance | None:
            try:
                made: Instance = self._client.run_instances(**asked)["Instances"][0]
            except ClientError as error:
                if code(error) != "InvalidIPAddress.InUse" or not self._is_ending():
                    raise
                refusal.append(error)
                return None
            return made

        made = self._patience.until(self._patience.end, send)
        if made is None:
            raise refusal[-1]
        return made

    def _is_ending(self) -> bool:
        return any(each["State"]["Name"] == "shutting-down" and machines.is_ours(each) for each in self._marked())

    def _marked(self) -> Sequence[Instance]:
        return self._looks.marked(mark(self._wanted.cluster, self._wanted.node))

    def _by_token(self, token: str) -> Instance | None:
        return next((each for each in self._marked() if each.get("ClientToken") == token), None)

    def shown(self, machine: str) -> Instance:
        """Wait until EC2 shows it, and start it when it is stopped. Raises CoreopsError when it has ended.

        Not until it runs: one look at the whole cluster tells that of all its machines.
        """
        instance = self._seen(machine)
        if instance is None:
            raise CoreopsError(f"somebody ended {machine} just now", where=self._wanted.node, next="run it again")
        return instance

    def _seen(self, machine: str) -> Instance | None:
        """As ``shown``, but None when it was ended on demand."""
        gone: list[Instance] = []

        def ask() -> Instance | None:
            instance = self._looks.machine(machine)
            state = instance["State"]["Name"] if instance else "stopping"
            if state == "stopped":
                self._client.start_instances(InstanceIds=[machine])
            elif instance and state not in machines.LIVE:
                if not machines.on_demand(instance):
                    raise ended(self._wanted.node, machines.died(instance))
                gone.append(instance)
                return instance
            return None if state in ("stopping", "stopped") else instance

        instance = self._patience.until(self._patience.appear, ask)
        if gone:
            return None
        if instance is None:
            raise CoreopsError(
                f"EC2 neither shows nor starts {machine} within {self._patience.appear:.0f} seconds",
                where=self._wanted.node,
                next="run it again to go on; it is not made twice",
            )
        return instance


def _if_alive(instance: Instance) -> str | None:
    return str(instance["InstanceId"]) if instance["State"]["Name"] in machines.LIVE else None
