"""EC2 for the tests: moto's server behind the real wire, and in front of it what moto leaves out.

Client tokens (moto takes them and forgets them), throttling, answers that get lost, refusals, machines that are not
shown at once, and consoles. Everything else is moto's.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

Form = dict[str, list[str]]
Answer = tuple[str, list[tuple[str, str]], bytes]

ACCOUNT = "123456789012"
_XML = [("Content-Type", "text/xml")]


@dataclass
class Faults:
    """What goes wrong next. refuse: code and message of RunInstances; refuse_in: only in this region.

    hidden: how many times new ones are not shown. lose: how many RunInstances are done without an answer. throttle: how
    many calls are told to come back later. consoles: by machine, as it is now; first_consoles: as EC2 kept it after the
    boot. slow_console: of an old type. stale_tokens: a token answers as it did first, though its machine has ended.
    """

    refuse: tuple[str, str] | None = None
    refuse_in: str = ""
    hidden: int = 0
    lose: int = 0
    throttle: int = 0
    consoles: dict[str, str] = field(default_factory=dict)
    first_consoles: dict[str, str] = field(default_factory=dict)
    slow_console: bool = False
    stale_tokens: bool = False


class Cloud:
    """A WSGI application around moto's."""

    def __init__(self, moto: Callable[..., Iterable[bytes]]) -> None:
        self.moto = moto
        self.faults = Faults()
        self.calls: list[str] = []
        self.asked: list[Form] = []
        self._tokens: dict[tuple[str, str], tuple[Form, Answer]] = {}
        self._turn = threading.Lock()

    def clear(self) -> None:
        self.faults = Faults()
        self.calls.clear()
        self.asked.clear()
        self._tokens.clear()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        form = parse_qs(body.decode()) if b"Action=" in body else {}
        with self._turn:
            status, headers, content = self._answer(form, environ)
        start(status, headers)
        return [content]

    def _answer(self, form: Form, environ: dict[str, Any]) -> Answer:
        action = form.get("Action", [environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[2]])[0]
        if action:
            self.calls.append(action)
            self.asked.append(form)
        faults = self.faults
        if faults.throttle:
            faults.throttle -= 1
            return error("RequestLimitExceeded", "Request limit exceeded.", "503 Service Unavailable")
        if action == "RunInstances":
            return self._run(form, environ)
        if action == "GetConsoleOutput":
            latest = form.get("Latest") == ["true"]
            return self._console(form["InstanceId"][0], latest)
        if action == "DescribeInstances" and faults.hidden:
            faults.hidden -= 1
            if "InstanceId.1" in form:
                return error(
                    "InvalidInstanceID.NotFound", f"The instance ID '{form['InstanceId.1'][0]}' does not exist"
                )
            return "200 OK", _XML, b"<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>"
        return self._moto(environ)

    def _run(self, form: Form, environ: dict[str, Any]) -> Answer:
        region = environ["HTTP_AUTHORIZATION"].split("/")[2]
        key = region, form["ClientToken"][0]
        if key in self._tokens:
            before, answer = self._tokens[key]
            if self._state(region, answer) == "terminated" and not self.faults.stale_tokens:
                return error(
                    "IdempotentInstanceTerminated",
                    "The request to launch an instance uses the same client token as a previous request for which the "
                    "instance has been terminated.",
                )
            if before != form:
                return error("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent")
            return answer
        if self.faults.refuse and self.faults.refuse_in in ("", region):
            return error(*self.faults.refuse)
        answer = self._moto(environ)
        if answer[0].startswith("200"):
            self._tokens[key] = form, answer
            if self.faults.lose:
                self.faults.lose -= 1
                return "500 Internal Server Error", _XML, b"<gone"
        return answer

    def _state(self, region: str, answer: Answer) -> str:
        machine = answer[2].decode().partition("<instanceId>")[2].partition("</instanceId>")[0]
        return str(instances(region)[machine].state)

    def _console(self, machine: str, latest: bool) -> Answer:
        if latest and self.faults.slow_console:
            return error(
                "UnsupportedOperation", "This instance type does not support retrieving the latest console logs"
            )
        consoles = self.faults.consoles if latest or self.faults.slow_console else self.faults.first_consoles
        shown = consoles.get(machine, "")
        text = base64.b64encode(shown.encode()).decode()
        body = f"<GetConsoleOutputResponse><instanceId>{machine}</instanceId><output>{text}</output>"
        return "200 OK", _XML, f"{body}</GetConsoleOutputResponse>".encode()

    def _moto(self, environ: dict[str, Any]) -> Answer:
        got: list[Any] = []
        content = b"".join(self.moto(environ, lambda status, headers, *_: got.extend((status, headers))))
        return got[0], got[1], content


def error(code: str, message: str, status: str = "400 Bad Request") -> Answer:
    body = f"<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error></Errors>"
    return status, _XML, f'<?xml version="1.0" encoding="UTF-8"?>{body}<RequestID>r</RequestID></Response>'.encode()


def instances(region: str) -> dict[str, Any]:
    """moto's own instances of a region, by id: what there really is."""
    from moto.ec2.models import ec2_backends

    backend = ec2_backends[ACCOUNT][region]
    return {each.id: each for reservation in backend.reservations.values() for each in reservation.instances}


def way_out(client: Any) -> None:
    """Give the default network of a region the route that EC2 gives it, and moto does not."""
    vpc = client.describe_vpcs()["Vpcs"][0]["VpcId"]
    gateway = client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    client.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = client.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0][
        "RouteTableId"
    ]
    client.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
