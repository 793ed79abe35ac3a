"""A Nomad cluster that answers over its HTTP API as the real one does, in memory.

What each endpoint takes and gives is from the source of hashicorp/nomad v1.7.7 and its documentation:

- nodes, drain, eligibility, purge: api/nodes.go, nomad/node_endpoint.go (UpdateDrain, UpdateEligibility, deregister),
  website/content/api-docs/nodes.mdx
- allocations: nomad/alloc_endpoint.go (List, filter, paging), structs.AllocListStub, api-docs/allocations.mdx
- variables: command/agent/variable_endpoint.go (check-and-set, 409 with the conflict), nomad/structs/variables.go
- raft, agent, keyring: command/agent/{operator,agent}_endpoint.go, api-docs/operator/raft.mdx, api-docs/agent.mdx
- ACLs: fake_tokens
- jobs: fake_jobs
- errors are plain text with a code (command/agent/http.go, wrap); no leader is a 500 "No cluster leader"
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.schedulers.nomad.fake_jobs import Jobs
from tests.schedulers.nomad.fake_state import Alloc, Conflict, Node, Refused, Server
from tests.schedulers.nomad.fake_tokens import Tokens

VARIABLE_PATH = re.compile(r"^[a-zA-Z0-9-_~/]{1,128}$")


@cache
def _fits(pattern: str, path: str) -> re.Match[str] | None:
    return re.fullmatch(pattern, path)


class FakeNomad(Jobs, Tokens):
    """The API of all of its agents."""

    def handle(
        self, agent: str, method: str, target: str, body: bytes, token: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        """One request to the agent of a host: status, headers, body."""
        self.log.append(f"{agent} {method} {target}")
        if self.failures:
            status, text = self.failures.pop(0)
            return status, {}, text.encode()
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        headers: dict[str, str] = {}
        try:
            self.allow(agent, parts.path, token)
            value = self._route(agent, method, unquote(parts.path), query, json.loads(body) if body else None, headers)
        except Conflict as conflict:
            return conflict.code, {"Content-Type": "application/json"}, json.dumps(conflict.value).encode()
        except Refused as refused:
            return refused.code, {"Content-Type": "text/plain"}, refused.text.encode()
        return (
            200,
            {"Content-Type": "application/json", **headers},
            b"" if value is None else json.dumps(value).encode(),
        )

    def _route(
        self, agent: str, method: str, path: str, query: dict[str, str], body: Any, headers: dict[str, str]
    ) -> Any:
        table: list[tuple[str, str, Callable[..., Any]]] = [
            ("GET", r"/v1/agent/self", lambda: self._self(agent)),
            ("GET", r"/v1/agent/members", lambda: self._members(agent)),
            ("PUT", r"/v1/agent/force-leave", lambda: self._force_leave(query)),
            ("GET|PUT", r"/v1/agent/keyring/(\w+)", lambda op: self._keyring(agent, op, body)),
            ("PUT|POST", r"/v1/acl/bootstrap", lambda: self.bootstrap(body)),
            ("PUT|POST", r"/v1/acl/token", lambda: self.make_token(body)),
            ("GET", r"/v1/acl/token/self", self.own_token),
            ("DELETE", r"/v1/acl/token/([^/]+)", self.remove_token),
            ("GET", r"/v1/acl/tokens", lambda: self._list(self.token_stubs(), query, headers, "AccessorID")),
            ("GET", r"/v1/status/leader", self._leader),
            ("GET", r"/v1/operator/raft/configuration", self._raft),
            ("GET", r"/v1/operator/autopilot/health", self._health),
            ("DELETE", r"/v1/operator/raft/peer", lambda: self._remove_peer(query)),
            ("GET", r"/v1/nodes", lambda: self._list(map(self._stub, self.nodes.values()), query, headers)),
            ("GET", r"/v1/node/([^/]+)", lambda id: self._full(self._node(id, 404))),
            ("PUT|POST", r"/v1/node/([^/]+)/drain", lambda id: self._drain(id, body)),
            ("PUT|POST", r"/v1/node/([^/]+)/eligibility", lambda id: self._eligibility(id, body)),
            ("PUT|POST", r"/v1/node/([^/]+)/purge", self._purge),
            ("GET", r"/v1/allocations", lambda: self._allocations(query, headers)),
            ("GET", r"/v1/jobs", lambda: self._list(self.job_stubs(query), query, headers)),
            ("PUT|POST", r"/v1/jobs", lambda: self.register(body)),
            ("PUT|POST", r"/v1/job/([^/]+)/plan", lambda id: self.plan(id, body)),
            ("GET", r"/v1/job/([^/]+)/allocations", lambda id: [self._alloc(a) for a in self.allocs if a.job == id]),
            ("GET", r"/v1/job/([^/]+)/evaluations", lambda id: [e for e in self.evals if e["JobID"] == id]),
            ("GET", r"/v1/job/([^/]+)", self.job),
            ("DELETE", r"/v1/job/([^/]+)", lambda id: self.deregister(id, query)),
            ("GET|PUT|DELETE", r"/v1/var/(.+)", lambda path: self._variable(method, path, query, body)),
        ]
        matching = [each for each in table if _fits(each[1], path)]
        for methods, pattern, answer in matching:
            found = _fits(pattern, path)
            if found and method in methods.split("|"):
                if self.leader is None and not path.startswith(("/v1/agent", "/v1/status")):
                    raise Refused(500, "No cluster leader")
                return answer(*found.groups())
        raise Refused(405, "Invalid method") if matching else Refused(404, "")

    def _self(self, agent: str) -> dict[str, Any]:
        agents: list[Server | Node] = [*self.servers, *self.nodes.values()]
        version = next(each.version for each in agents if each.name == agent)
        server = any(each.name == agent for each in self.servers)
        member = {"Name": f"{agent}.{self.region}", "Tags": {"build": version}} if server else {}
        return {"config": {"Version": {"Version": version}, "Region": self.region}, "member": member, "stats": {}}

    def _server(self, agent: str) -> None:
        if not any(each.name == agent for each in self.servers):
            raise Refused(501, "Invalid method")

    def _members(self, agent: str) -> dict[str, Any]:
        self._server(agent)
        members = [
            {
                "Name": f"{each.name}.{self.region}",
                "Addr": "10.0.0.1",
                "Port": 4648,
                "Tags": {"build": each.version, "region": self.region, "role": "nomad", "id": each.id},
                "Status": each.status,
            }
            for each in self.servers
            if each.status
        ]
        return {"ServerName": agent, "ServerRegion": self.region, "ServerDC": "dc1", "Members": members}

    def _force_leave(self, query: dict[str, str]) -> None:
        if not query.get("node"):
            raise Refused(400, "missing node to force leave")
        for each in self.servers:
            if f"{each.name}.{self.region}" == query["node"]:
                each.status = "" if query.get("prune") == "true" else "left"
        self.servers = [each for each in self.servers if each.status or each.peer]

    def _keyring(self, agent: str, op: str, body: Any) -> dict[str, Any]:
        self._server(agent)
        key = (body or {}).get("Key", "")
        if op == "install" and key not in self.keys:
            self.keys.append(key)
        elif op in ("use", "remove") and key not in self.keys:
            raise Refused(500, "1/1 nodes reported failure")
        elif op == "use":
            self.keys = [key, *(each for each in self.keys if each != key)]
        elif op == "remove":
            if self.keys[0] == key:
                raise Refused(500, "1/1 nodes reported failure")
            self.keys.remove(key)
        alive = sum(each.status == "alive" for each in self.servers)
        return {"Messages": {}, "Keys": dict.fromkeys(self.keys, alive), "NumNodes": alive}

    def _leader(self) -> str:
        return f"10.0.0.1:{4647}" if self.leader else ""

    def _raft(self) -> dict[str, Any]:
        servers = [
            {
                "Address": "10.0.0.1:4647",
                "ID": each.id,
                "Leader": each.name == self.leader,
                "Node": f"{each.name}.{self.region}" if each.status or each.id in self.left_in_raft else "(unknown)",
                "RaftProtocol": "3",
                "Voter": True,
            }
            for each in self.servers
            if each.peer
        ]
        return {"Index": 0, "Servers": servers}

    def _health(self) -> dict[str, Any]:
        alive = all(each.status == "alive" and each.healthy for each in self.servers if each.peer)
        if not alive:
            raise Conflict({"Healthy": False, "FailureTolerance": 0, "Servers": []}, 429)
        return {"Healthy": True, "FailureTolerance": 1, "Servers": []}

    def _remove_peer(self, query: dict[str, str]) -> None:
        if "address" in query:
            raise Refused(400, "Removing a peer by address is not supported in the current raft protocol version")
        found = [each for each in self.servers if each.peer and each.id == query.get("id")]
        if not found:
            raise Refused(500, f'id "{query.get("id")}" was not found in the Raft configuration')
        found[0].peer = False
        self.servers = [each for each in self.servers if each.status or each.peer]

    def _stub(self, node: Node) -> dict[str, Any]:
        """structs.NodeListStub."""
        return {
            "Address": "10.0.0.1",
            "ID": node.id,
            "Datacenter": "dc1",
            "Name": node.name,
            "NodePool": "default",
            "NodeClass": "",
            "Version": node.version,
            "Drain": node.strategy is not None,
            "SchedulingEligibility": "eligible" if node.eligible else "ineligible",
            "Status": node.status,
            "LastDrain": node.last,
            "CreateIndex": 5,
            "ModifyIndex": node.index,
        }

    def _full(self, node: Node) -> dict[str, Any]:
        """api.Node; events: the last ten (structs.MaxRetainedNodeEvents)."""
        stub = {key: value for key, value in self._stub(node).items() if key not in ("Drain", "Address", "Version")}
        return {
            **stub,
            "Attributes": {"nomad.version": node.version},
            "DrainStrategy": node.strategy,
            "Events": node.events[-10:],
            "Meta": node.meta,
        }

    def _node(self, id: str, code: int = 500) -> Node:
        if id not in self.nodes:
            raise Refused(code, "node not found")
        return self.nodes[id]

    def _drain(self, id: str, body: dict[str, Any]) -> dict[str, Any]:
        node = self._node(id)
        spec = body.get("DrainSpec")
        before = node.strategy
        strategy = None
        if spec is not None:
            strategy = {"Deadline": spec["Deadline"], "IgnoreSystemJobs": spec["IgnoreSystemJobs"], "StartedAt": "t"}
        self.index += 1
        if before is None and strategy is not None:
            self.event(node, "Drain", "Node drain strategy set")
        elif strategy is not None:
            self.event(node, "Drain", "Node drain strategy updated")
        elif before is not None:
            self.event(node, "Drain", "Node drain disabled")
        self.set_drain(node, strategy, bool(body.get("MarkEligible")), body.get("Meta") or {}, False)
        return {"NodeModifyIndex": self.index, "EvalIDs": [], "EvalCreateIndex": 0}

    def _eligibility(self, id: str, body: dict[str, Any]) -> dict[str, Any]:
        node = self._node(id)
        word = body["Eligibility"]
        if word not in ("eligible", "ineligible"):
            raise Refused(500, f'invalid scheduling eligibility "{word}"')
        if node.strategy is not None and word == "eligible":
            raise Refused(500, "can not set node's scheduling eligibility to eligible while it is draining")
        if node.eligible == (word == "eligible"):
            return {"NodeModifyIndex": 0, "EvalIDs": None, "EvalCreateIndex": 0}
        self.index += 1
        node.eligible = word == "eligible"
        self.event(node, "Cluster", f"Node marked as {word} for scheduling")
        node.index = self.index
        return {"NodeModifyIndex": self.index, "EvalIDs": [], "EvalCreateIndex": 0}

    def _purge(self, id: str) -> dict[str, Any]:
        self._node(id)
        del self.nodes[id]
        self.index += 1
        return {"NodeModifyIndex": self.index, "EvalIDs": [], "EvalCreateIndex": 0}

    def _allocations(self, query: dict[str, str], headers: dict[str, str]) -> list[dict[str, Any]]:
        namespace = query.get("namespace", "default")
        found = [self._alloc(each) for each in self.allocs if namespace in ("*", each.namespace)]
        return self._list(found, query, headers)

    def _list(
        self, stubs: Iterable[Any], query: dict[str, str], headers: dict[str, str], key: str = "ID"
    ) -> list[dict[str, Any]]:
        found = list(stubs)
        if expression := query.get("filter"):
            found = [each for each in found if any(self._holds(part, each) for part in expression.split(" or "))]
        if token := query.get("next_token"):
            found = found[[each[key] for each in found].index(token) :]
        size = min(int(query.get("per_page") or 0) or len(found), self.page)
        if len(found) > size:
            headers["X-Nomad-NextToken"] = found[size][key]
        return found[:size]

    def _alloc(self, alloc: Alloc) -> dict[str, Any]:
        """structs.AllocListStub."""
        return {
            "ID": alloc.id,
            "Name": f"{alloc.job}.{alloc.group}[0]",
            "Namespace": alloc.namespace,
            "NodeID": alloc.node.id,
            "NodeName": alloc.node.name,
            "JobID": alloc.job,
            "JobType": alloc.kind,
            "JobVersion": alloc.version,
            "TaskGroup": alloc.group,
            "DesiredStatus": alloc.desired,
            "ClientStatus": alloc.status,
            "TaskStates": alloc.tasks,
            "CreateIndex": alloc.created,
        }

    def _holds(self, expression: str, stub: dict[str, Any]) -> bool:
        found = re.fullmatch(r'(\w+) == "([^"]*)"', expression.strip())
        if found is None or found[1] not in stub:
            raise Refused(400, f"failed to read filter expression: {expression}")
        return bool(stub[found[1]] == found[2])

    def _variable(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        have = self.variables.get(path)
        if method == "GET":
            if have is None:
                raise Refused(404, "variable not found")
            return have
        if "cas" in query and int(query["cas"]) != (have["ModifyIndex"] if have else 0):
            raise Conflict(have or {"Namespace": "default", "Path": path, "ModifyIndex": 0, "CreateIndex": 0})
        self.index += 1
        if method == "DELETE":
            self.variables.pop(path, None)
            return None
        if not (body or {}).get("Items"):
            raise Refused(400, "variable missing required Items object")
        if not VARIABLE_PATH.match(path) or not all(isinstance(each, str) for each in body["Items"].values()):
            raise Refused(400, f'invalid path "{path}"')
        made = have["CreateIndex"] if have else self.index
        meta = {"Namespace": "default", "Path": path, "CreateIndex": made, "ModifyIndex": self.index}
        self.variables[path] = {**meta, "CreateTime": 1, "ModifyTime": 1, "Items": body["Items"]}
        return self.variables[path]
