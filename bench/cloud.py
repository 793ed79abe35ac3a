"""EC2 as far as `coreops provision` asks it, over HTTP on loopback, each answer late by a fixed time.

A process of its own, small and quick so that coreops is what is measured: marks, client tokens, pages and consoles, and
a limit on how many machines are made in a second, beyond which it answers as EC2 does. `GET /` tells what was asked.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDhQoFtRgkBMpWNRIiuwK9SN4sKTuXDqTh6gGXUZKPvZ"
CONSOLE = base64.b64encode(
    f"-----BEGIN SSH HOST KEY KEYS-----\n{KEY}\n-----END SSH HOST KEY KEYS-----\n".encode()
).decode()
VPC = "<vpcSet><item><vpcId>vpc-1</vpcId></item></vpcSet>"
Form = dict[str, list[str]]


class Ec2:
    """Machines by id, in the order they were made."""

    def __init__(self, latency: float, rate: float) -> None:
        self.latency = latency
        self.rate = rate
        self.calls: Counter[str] = Counter()
        self.machines: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, str] = {}
        self.group = ""
        self.left = rate
        self.filled = time.monotonic()
        self.lock = threading.Lock()

    def answer(self, form: Form) -> tuple[int, str]:
        action = form["Action"][0]
        time.sleep(self.latency)
        with self.lock:
            self.calls[action] += 1
            if action == "RunInstances" and not self._has_room():
                self.calls["refused"] += 1
                return 503, _error("RequestLimitExceeded", "Request limit exceeded.")
            return 200, f"<{action}Response>{getattr(self, action)(form)}</{action}Response>"

    def _has_room(self) -> bool:
        now = time.monotonic()
        self.left = min(2 * self.rate, self.left + (now - self.filled) * self.rate)
        self.filled = now
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def DescribeVpcs(self, form: Form) -> str:
        return VPC

    def DescribeSecurityGroups(self, form: Form) -> str:
        return f"<securityGroupInfo>{self.group}</securityGroupInfo>"

    def CreateSecurityGroup(self, form: Form) -> str:
        tags = _tags(form, "TagSpecification.1.Tag")
        self.group = f"<item><groupId>sg-1</groupId><groupName>{form['GroupName'][0]}</groupName>{tags}</item>"
        return "<groupId>sg-1</groupId>"

    def AuthorizeSecurityGroupIngress(self, form: Form) -> str:
        return "<return>true</return>"

    def RunInstances(self, form: Form) -> str:
        token = form["ClientToken"][0]
        if token not in self.tokens:
            number = len(self.machines) + 1
            tags = _tags(form, "TagSpecification.1.Tag")
            node = f"i-{number:017x}"
            address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            self.tokens[token] = node
            self.machines[node] = {
                "mark": token.rpartition("-")[0],
                "text": f"<item><instanceId>{node}</instanceId><imageId>{form['ImageId'][0]}</imageId><instanceState>"
                f"<code>16</code><name>running</name></instanceState><clientToken>{token}</clientToken><privateIpAddress>"
                f"{address}</privateIpAddress><instanceType>{form['InstanceType'][0]}</instanceType><placement>"
                f"<availabilityZone>eu-west-1a</availabilityZone></placement><subnetId>subnet-1</subnetId>{tags}</item>",
            }
        return f"<instancesSet>{self.machines[self.tokens[token]]['text']}</instancesSet>"

    def DescribeInstances(self, form: Form) -> str:
        kind, values = form["Filter.1.Name"][0], {form[key][0] for key in form if key.startswith("Filter.1.Value.")}
        if kind == "instance-id":
            found = [self.machines[name] for name in values if name in self.machines]
        elif kind == "tag:coreops:mark":
            found = [each for each in self.machines.values() if each["mark"] in values]
        else:
            found = list(self.machines.values())
        begin, size = int(form.get("NextToken", ["0"])[0]), int(form.get("MaxResults", ["1000"])[0])
        page = "".join(each["text"] for each in found[begin : begin + size])
        more = f"<nextToken>{begin + size}</nextToken>" if begin + size < len(found) else ""
        return f"<reservationSet><item><instancesSet>{page}</instancesSet></item></reservationSet>{more}"

    def GetConsoleOutput(self, form: Form) -> str:
        return f"<instanceId>{form['InstanceId'][0]}</instanceId><output>{CONSOLE}</output>"


def _tags(form: Form, prefix: str) -> str:
    items, number = [], 1
    while key := form.get(f"{prefix}.{number}.Key"):
        value = form[f"{prefix}.{number}.Value"][0]
        items.append(f"<item><key>{escape(key[0])}</key><value>{escape(value)}</value></item>")
        number += 1
    return f"<tagSet>{''.join(items)}</tagSet>"


def _error(code: str, message: str) -> str:
    return f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors></Response>"


def serve(latency: float, rate: float) -> None:
    """Serve until the process is ended; the first line of stdout is the address."""
    cloud = Ec2(latency, rate)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._send(200, json.dumps({"calls": cloud.calls, "machines": len(cloud.machines)}))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self._send(*cloud.answer(parse_qs(body)))

        def _send(self, status: int, text: str) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(float(sys.argv[1]), float(sys.argv[2]))
