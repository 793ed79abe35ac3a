"""Units become services of Swarm and jobs of Nomad; what does not fit is named with its line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coreops.errors import InputError
from coreops.units.convert.convert import Converted, convert
from coreops.units.loading import Loaded
from tests.units.texts import WEB, run, unit

SECOND = 1_000_000_000


def three(text: str = WEB) -> list[Loaded]:
    return [unit(text, f"web@{i}.service") for i in (1, 2, 3)]


def lost(done: Converted) -> dict[str, int]:
    return {loss.key: loss.at.line for loss in done.losses}


def spec(line: str, more: str = "") -> dict[str, Any]:
    done = convert([run(line, more)], "swarm")
    assert done.losses == (), [str(each) for each in done.losses]
    (found,) = done.documents
    return found


def test_instances_that_are_the_same_are_one_service_that_spreads() -> None:
    done = convert(three(), "swarm")
    assert done.losses == ()
    assert done.documents == (
        {
            "Name": "web",
            "Labels": {"coreops.unit": "web@1.service,web@2.service,web@3.service"},
            "TaskTemplate": {
                "ContainerSpec": {
                    "Image": "nginx:1",
                    "StopGracePeriod": 20 * SECOND,
                    "Args": ["nginx", "-g", "daemon off;"],
                    "Init": True,
                    "Env": ["A=b c"],
                    "Ulimits": [{"Name": "nofile", "Soft": 65536, "Hard": 65536}],
                    "Mounts": [{"Type": "bind", "Target": "/srv", "Source": "/srv", "ReadOnly": True}],
                },
                "RestartPolicy": {"Condition": "any", "Delay": 5 * SECOND},
                "Placement": {
                    "MaxReplicas": 1,
                    "Preferences": [{"Spread": {"SpreadDescriptor": "node.labels.zone"}}],
                },
                "Resources": {"Limits": {"MemoryBytes": 64 * 1024**2}},
            },
            "Mode": {"Replicated": {"Replicas": 3}},
            "EndpointSpec": {
                "Ports": [{"TargetPort": 80, "Protocol": "tcp", "PublishMode": "host", "PublishedPort": 8080}],
                "Mode": "dnsrr",
            },
        },
    )
    assert {note.key for note in done.notes} >= {"ExecStartPre=docker rm", "ExecStop=docker stop", "--name", "--rm"}


def test_instances_that_differ_are_services_and_their_conflict_is_lost() -> None:
    done = convert(three(WEB.replace("A=b c", "A=%i")), "swarm")
    assert [each["Name"] for each in done.documents] == ["web-1", "web-2", "web-3"]
    assert [each["TaskTemplate"]["ContainerSpec"]["Env"] for each in done.documents] == [["A=1"], ["A=2"], ["A=3"]]
    assert list(lost(done)) == ["Conflicts=web@*.service"]
    quiet = WEB.replace("A=b c", "A=%i").partition("[X-Fleet]")[0]
    assert convert(three(quiet), "swarm").losses == ()


def test_where_it_may_run() -> None:
    fleet = '[X-Fleet]\nMachineMetadata="zone=a" "disk=ssd"\n'
    assert spec("x", fleet)["TaskTemplate"]["Placement"] == {
        "Constraints": ["node.labels.disk==ssd", "node.labels.zone==a"]
    }
    assert spec("x", "[X-Fleet]\nGlobal=true\n")["Mode"] == {"Global": {}}
    assert spec("x", "[X-Fleet]\nMachineID=n1\n")["TaskTemplate"]["Placement"] == {
        "Constraints": ["node.labels.coreops.host==n1"]
    }
    id = "0123456789abcdef" * 2
    pinned = run("x", f"[X-Fleet]\nMachineID={id}\n")
    assert lost(convert([pinned], "swarm")) == {"MachineID": 4}
    done = convert([pinned], "swarm", {"01234567": "n2"})
    assert done.documents[0]["TaskTemplate"]["Placement"] == {"Constraints": ["node.labels.coreops.host==n2"]}


@pytest.mark.parametrize(
    ("line", "more", "key"),
    [
        ("x", "[X-Fleet]\nMachineOf=db.service\n", "MachineOf=db.service"),
        ("x", "[X-Fleet]\nReplaces=db.service\n", "Replaces=db.service"),
        ("x", "[X-Fleet]\nConflicts=db.service\n", "Conflicts=db.service"),
        ("x", "[X-Fleet]\nMachineMetadata=zone=a\nMachineMetadata=zone=b\n", "MachineMetadata zone=a or b"),
        ("--privileged x", "", "--privileged"),
        ("--link a:b x", "", "--link"),
        ("--env-file /etc/e x", "", "--env-file"),
        ("-e A x", "", "--env"),
        ("-p 127.0.0.1:80:80 x", "", "--publish"),
        ("-p a:b x", "", "--publish"),
        ("--gpus all x", "", "--gpus"),
        ("--net container:a x", "", "--network"),
        ("x %H", "", "%H"),
        ("x ${HOME_OF}", "", "${HOME_OF}"),
        ("x", "ExecStartPre=/bin/mkdir /srv\n", "ExecStartPre"),
        ("x", "ExecStartPost=/bin/echo\n", "ExecStartPost"),
        ("x", "[Unit]\nBindsTo=db.service\n", "BindsTo=db.service"),
        ("x", "[Unit]\nConditionHost=n1\n", "ConditionHost"),
    ],
)
def test_what_is_lost_on_the_way_to_swarm(line: str, more: str, key: str) -> None:
    done = convert([run(line, more)], "swarm")
    assert [loss.key for loss in done.losses] == [key]
    assert str(done.losses[0]).startswith("a.service:")


def test_more_of_docker_run() -> None:
    found = spec(
        "-it -u 1:2 -w /d -h h --entrypoint /e --read-only --cap-add NET_ADMIN --sysctl a=b --log-opt max-size=1m "
        "--cpus 0.5 --net host --add-host a:1.2.3.4 --dns 1.1.1.1 --tmpfs /t --mount type=volume,src=v,dst=/v -v /anon "
        "-l a=b --stop-timeout 30 x"
    )["TaskTemplate"]
    container = found["ContainerSpec"]
    assert container["Mounts"] == [
        {"Type": "tmpfs", "Target": "/t"},
        {"Type": "volume", "Target": "/v", "Source": "v"},
        {"Type": "volume", "Target": "/anon"},
    ]
    assert (container["Command"], container["Hosts"], container["User"]) == (["/e"], ["1.2.3.4 a"], "1:2")
    assert container["DNSConfig"] == {"Nameservers": ["1.1.1.1"]}
    assert (found["Networks"], found["LogDriver"]["Options"]) == ([{"Target": "host"}], {"max-size": "1m"})
    assert (found["Resources"], container["StopGracePeriod"]) == ({"Limits": {"NanoCPUs": SECOND // 2}}, 30 * SECOND)


def test_a_job_of_nomad() -> None:
    fleet = "MachineMetadata=zone=a\nMachineMetadata=zone=b.c\n"
    done = convert(three(WEB + fleet), "nomad")
    assert done.losses == ()
    job = done.documents[0]["Job"]
    assert (job["ID"], job["Type"]) == ("web", "service")
    assert job["Constraints"] == [{"LTarget": "${meta.zone}", "Operand": "regexp", "RTarget": "^(a|b\\.c)$"}]
    group = job["TaskGroups"][0]
    assert (group["Count"], group["Constraints"]) == (3, [{"Operand": "distinct_hosts", "RTarget": "true"}])
    assert group["Spreads"] == [{"Attribute": "${meta.zone}", "Weight": 50}]
    assert group["Networks"] == [{"ReservedPorts": [{"Label": "port80", "To": 80, "Value": 8080}]}]
    task = group["Tasks"][0]
    assert task["Config"]["volumes"] == ["/srv:/srv:ro"]
    assert (task["Env"], task["Resources"], task["KillTimeout"]) == ({"A": "b c"}, {"MemoryMB": 64}, 20 * SECOND)


def test_everywhere_is_a_system_job() -> None:
    job = convert([run("--privileged x", "[X-Fleet]\nGlobal=1\n")], "nomad").documents[0]["Job"]
    assert job["Type"] == "system"
    assert "Count" not in job["TaskGroups"][0]
    assert job["TaskGroups"][0]["Tasks"][0]["Config"]["privileged"] is True


def test_what_cannot_be_converted_at_all() -> None:
    with pytest.raises(InputError, match="runs no container"):
        convert([unit("[Service]\nExecStart=/bin/true\n")], "swarm")
    for line, instead in (("/usr/bin/rkt run a", "podman run"), ("/opt/bin/systemd-docker run a", "run docker itself")):
        with pytest.raises(InputError, match=r"cannot be converted: .*(rkt|systemd-docker)") as caught:
            convert([unit(f"[Service]\nExecStart={line}\n")], "swarm")
        assert instead in str(caught.value)
    with pytest.raises(InputError, match="cannot be converted"):
        convert([unit("[Timer]\nOnCalendar=daily\n", "a.timer")], "swarm")
    with pytest.raises(InputError, match="unknown target") as caught:
        convert([], "swarn")
    assert "did you mean 'swarm'?" in str(caught.value)


def test_documents_are_json() -> None:
    hostile = run("-e 'A=$(x)`y`\"ü' x '; rm -rf /' \"a b\"")
    found = json.loads(json.dumps(convert([hostile], "swarm").documents))
    assert found[0]["TaskTemplate"]["ContainerSpec"]["Args"] == ["; rm -rf /", "a b"]
    assert found[0]["TaskTemplate"]["ContainerSpec"]["Env"] == ['A=$(x)`y`"ü']


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("a.b.service", "a-b"),
        ("my:app@1.service", "my-app-1"),
        (r"srv-\x2d_.service", "srv--x2d"),
        (f"{'x' * 70}.service", "x" * 54 + "-e0ea2b8a"),
    ],
)
def test_any_unit_has_a_name_that_swarm_takes(name: str, called: str) -> None:
    (service,) = convert([run("x", name=name)], "swarm").documents
    assert len(service["Name"]) <= 63
    assert service["Name"][:-8] == called[:-8]
    assert service["Name"] == called or len(name) > 63
    assert service["Labels"]["coreops.unit"] == name


@pytest.mark.parametrize("target", ["swarm", "nomad"])
def test_two_units_that_would_be_one_are_refused(target: str) -> None:
    for names in (("web-1.service", "web@1.service"), ("web.service", "web@1.service", "web@2.service")):
        with pytest.raises(InputError, match="would both be called web"):
            convert([run("x", name=name) for name in names], target)
    convert([run("x", name=name) for name in ("web.service", "web@1.service")], target)


@pytest.mark.parametrize(
    "image", ["nginx", "a/b_c/d--e:1.0_x", "[fd00::1]:5000/a:1", "Reg.example:5000/a@sha256:" + "ab" * 32]
)
def test_images(image: str) -> None:
    assert spec(image)["TaskTemplate"]["ContainerSpec"]["Image"] == image


@pytest.mark.parametrize("image", ["UPPER", "a:b:c", "nginx:", "a//b", "-", "a$(x)", "a@sha256:12", "é"])
def test_what_is_no_image(image: str) -> None:
    with pytest.raises(InputError, match="is not an image") as caught:
        convert([run(f"-- '{image}'")], "swarm")
    assert str(caught.value.where).startswith("a.service:2")
    assert lost(convert([run("a:%H")], "swarm")) == {"%H": 2}  # and not more than that is said
