"""Jobs of a fake Nomad: registering, planning, stopping, and what the service and system schedulers make of them.

- nomad/job_endpoint.go: Register (EnforceIndex and its words, nothing is written when nothing changed), Deregister,
  Plan, GetJob; command/agent/job_endpoint.go and api-docs/jobs.mdx: the shapes, 404 "job not found", meta= in the list
- nomad/structs/structs.go: Job.Canonicalize, Validate, AllocMetric, Evaluation; JobListStub leaves out an empty Meta
- scheduler/reconcile.go, util.go (tasksUpdated): allocations of a group that did not change are taken over in place,
  with the new version; others are stopped and replaced; what finds no place is a blocked evaluation
"""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Iterator
from typing import Any

from tests.schedulers.nomad.fake_state import TERMINAL, Alloc, Node, Refused, State

MINE = ("CreateIndex", "ModifyIndex", "JobModifyIndex", "Version", "Status", "SubmitTime")


class Jobs(State):
    """races: so many writes come too late, because somebody else has written first. old: a release that knows no
    ``meta=`` in the list.
    """

    def __init__(self, servers: list[str], clients: list[str], *, hasty: bool = True, region: str = "global") -> None:
        super().__init__(servers, clients, hasty=hasty, region=region)
        self.jobs: dict[str, dict[str, Any]] = {}
        self.evals: list[dict[str, Any]] = []
        self.races = 0
        self.old = False

    def job(self, id: str) -> dict[str, Any]:
        if id not in self.jobs:
            raise Refused(404, "job not found")
        return self.jobs[id]

    def job_stubs(self, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        for job in self.jobs.values():
            stub = {key: job[key] for key in ("ID", "Name", "Type", "Stop", "Status", "JobModifyIndex", "Datacenters")}
            meta = query.get("meta") == "true" and not self.old and job["Meta"]
            yield stub | ({"Meta": job["Meta"]} if meta else {})

    def register(self, body: dict[str, Any]) -> dict[str, Any]:
        new = self._canonical(body)
        old = self.jobs.get(new["ID"])
        if self.races and old:
            self.races -= 1
            self.index += 1
            old["JobModifyIndex"] = self.index
        if body.get("EnforceIndex"):
            index = body.get("JobModifyIndex", 0)
            prefix = f"Enforcing job modify index {index}"
            if old and index == 0:
                raise Refused(500, f"{prefix}: job already exists")
            if old and index != old["JobModifyIndex"]:
                raise Refused(500, f"{prefix}: job exists with conflicting job modify index: {old['JobModifyIndex']}")
            if not old and index:
                raise Refused(500, f"{prefix}: job does not exist")
        if old and old["Type"] != new["Type"]:
            raise Refused(500, "cannot update job type")
        if old is None or self._spec(old) != self._spec(new):
            self.index += 1
            indexes = {"JobModifyIndex": self.index, "ModifyIndex": self.index, "CreateIndex": self.index}
            new |= indexes | {"Version": old["Version"] + 1 if old else 0, "Status": "pending"}
            self.jobs[new["ID"]] = new
        self.evaluate(new["ID"])
        return {"EvalID": str(uuid.uuid4()), "JobModifyIndex": self.jobs[new["ID"]]["JobModifyIndex"], "Warnings": ""}

    def deregister(self, id: str, query: dict[str, str]) -> dict[str, Any]:
        job = self.job(id)
        self.index += 1
        job["Stop"] = True
        for alloc in self.allocs:
            if alloc.job == id and alloc.status not in TERMINAL:
                alloc.desired = "stop"
        if query.get("purge") == "true":
            del self.jobs[id]
        return {"EvalID": str(uuid.uuid4()), "JobModifyIndex": self.index}

    def plan(self, id: str, body: dict[str, Any]) -> dict[str, Any]:
        new = self._canonical(body)
        if new["ID"] != id:
            raise Refused(400, "Job ID does not match")
        try_out = copy.deepcopy(self)
        old = try_out.jobs.get(id)
        new |= {"Version": old["Version"] + 1 if old else 0, "JobModifyIndex": 0}
        try_out.jobs[id] = new
        failed = try_out.evaluate(id)
        index = self.jobs[id]["JobModifyIndex"] if id in self.jobs else 0
        return {"FailedTGAllocs": failed or None, "JobModifyIndex": index, "Diff": None, "Warnings": ""}

    def evaluate(self, id: str) -> dict[str, Any]:
        """Place what has to run, stop what has not; what finds no place, and why."""
        job = self.jobs[id]
        failed: dict[str, Any] = {}
        groups = {each["Name"]: each for each in job["TaskGroups"]}
        for alloc in [each for each in self.allocs if each.job == id and each.desired == "run"]:
            group = groups.get(alloc.group)
            if group is None or job["Stop"] or group["Count"] == 0 or alloc.spec != self._tasks(group):
                alloc.desired = "stop"
            else:
                alloc.version = job["Version"]
        for group in [] if job["Stop"] else job["TaskGroups"]:
            count = len(self.nodes) if job["Type"] == "system" else group["Count"]
            mine = [a for a in self.allocs if a.job == id and a.group == group["Name"] and a.desired == "run"]
            mine = [a for a in mine if a.status not in ("lost", "complete")]
            for _ in range(count - len(mine)):
                node, metric = self._place(job, group)
                if node is None:
                    if job["Type"] != "system":
                        failed[group["Name"]] = metric
                    break
                self._run(job, group, node)
        job["Status"] = "running"
        self.index += 1
        evaluation = {"ID": str(uuid.uuid4()), "JobID": id, "ModifyIndex": self.index, "FailedTGAllocs": failed or None}
        self.evals = [each for each in self.evals if each["JobID"] != id or each["Status"] != "blocked"]
        self.evals.append(evaluation | {"Status": "complete"})
        if failed:
            self.evals.append({**evaluation, "Status": "blocked"})
        return failed

    def tick(self) -> None:
        super().tick()
        for id in {each["JobID"] for each in self.evals if each["Status"] == "blocked"} & set(self.jobs):
            self.evaluate(id)

    def _run(self, job: dict[str, Any], group: dict[str, Any], node: Node) -> None:
        self.index += 1
        made = Alloc(
            str(uuid.uuid4()), job["ID"], job["Type"], node, "pending", group=group["Name"], version=job["Version"],
            created=self.index, spec=self._tasks(group),
        )  # fmt: skip
        self.allocs.append(made)

    def _place(self, job: dict[str, Any], group: dict[str, Any]) -> tuple[Node | None, dict[str, Any]]:
        ready = [node for node in self.nodes.values() if node.status == "ready" and node.eligible]
        filtered: dict[str, int] = {}
        fits = []
        for node in ready:
            apart = [each for each in job["Constraints"] if each["Operand"] == "distinct_hosts"]
            there = [a for a in self.allocs if a.node is node and a.job == job["ID"] and a.desired == "run"]
            if job["Type"] == "system" and [a for a in there if a.group == group["Name"]]:
                continue
            why = (
                "distinct_hosts"
                if apart and there
                else self._kept_out(node, [*job["Constraints"], *group["Constraints"]])
            )
            if why:
                filtered[why] = filtered.get(why, 0) + 1
            else:
                fits.append(node)
        metric = {"NodesEvaluated": len(ready), "NodesFiltered": sum(filtered.values()), "ConstraintFiltered": filtered}
        return min(fits, key=lambda node: sum(a.node is node for a in self.allocs), default=None), metric

    def _kept_out(self, node: Node, constraints: list[dict[str, Any]]) -> str:
        """scheduler/feasible.go: "${meta.x} = y" is how a constraint names itself."""
        for each in constraints:
            if each["Operand"] == "distinct_hosts":
                continue
            left = each["LTarget"].removeprefix("${").removesuffix("}")
            value = node.name if left == "node.unique.name" else node.meta.get(left.removeprefix("meta."))
            right = each["RTarget"]
            fits = value == right if each["Operand"] == "=" else value is not None and bool(re.search(right, value))
            if not fits:
                return f"{each['LTarget']} {each['Operand']} {right}"
        return ""

    def _canonical(self, body: dict[str, Any]) -> dict[str, Any]:
        """Refuses what Job.Validate would; fills in what Nomad fills in."""
        job = copy.deepcopy(body.get("Job"))
        if job is None:
            raise Refused(400, "Job must be specified")
        for id in ("ID", "Name"):
            if not job.get(id) or " " in job["ID"]:
                raise Refused(500, "Job ID contains a space")
        if job.get("Type") not in ("service", "system") or not job.get("Datacenters") or not job.get("TaskGroups"):
            raise Refused(500, "Missing job datacenters or task groups")
        seen = [each["Name"] for each in job["TaskGroups"]]
        if len(set(seen)) < len(seen):
            raise Refused(500, "Job task group redefines another")
        for group in job["TaskGroups"]:
            policy = group.setdefault("RestartPolicy", {"Attempts": 2, "Interval": 1, "Delay": 0, "Mode": "fail"})
            if policy["Attempts"] * policy["Delay"] > policy["Interval"]:
                raise Refused(500, "Nomad can't restart the TaskGroup")
            group.setdefault("Count", 1)
            if job["Type"] == "system" and group["Count"] > 1:
                raise Refused(500, "Count cannot exceed 1 with system scheduler")
            group["Constraints"] = group.get("Constraints") or []
            group["EphemeralDisk"] = {"Sticky": False, "SizeMB": 300, "Migrate": False}
        job["Constraints"] = job.get("Constraints") or []
        return {"Region": "global", "Stop": False, "Meta": None, "Priority": 50, **job}

    def _spec(self, job: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in job.items() if key not in MINE}

    def _tasks(self, group: dict[str, Any]) -> Any:
        return copy.deepcopy([group.get("Tasks"), group.get("Meta"), group.get("Networks")])
