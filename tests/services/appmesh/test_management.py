"""The Envoy management service: who may connect, what it tells, and that Envoys find it again."""

from __future__ import annotations

import datetime
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.mesh_bootstrap import BootstrapOptions
from cloudlet.testing.server import Aws, Server
from tests.certificates import make_pair
from tests.commands import cloudlet, free_port
from tests.modes import meaningless_in
from tests.services.acm.cloud import AcmCloud
from tests.services.appmesh.envoys import SIGNED, Envoys
from tests.services.appmesh.mesh_cloud import MeshCloud, listen, route_to
from tests.standing import eventually
from tests.strict_accounts import Account, Caller, allow

_told = meaningless_in("strict", "replicas", because="a process tells in open mode alone of its own Envoys")


class StrictAws(Aws):
    """The root of an account where permissions are enforced."""

    def __init__(self, account: Account) -> None:
        super().__init__(account.endpoint, account.number)


def connect(envoys: Envoys, caller: Caller | None, env: dict[str, str] | None = None) -> dict[str, int]:
    """Start an Envoy with somebody's keys; return what it has got of the management service once that has answered."""
    node = f"arn:aws:appmesh:us-east-1:{envoys.cloud.account}:mesh/m/virtualNode/n@{envoys.pick_address()}"
    keys = {} if caller is None else get_keys(caller)
    options = BootstrapOptions(region="" if caller is None else "us-east-1")
    envoys.launch(node, {**keys, **(env or {})}, options)
    number = envoys.started
    return eventually(
        lambda: envoys.read_stats(number, "update_(success|failure|attempt)"),
        lambda stats: bool(
            stats.get("cluster_manager.cds.update_success") or stats.get("cluster_manager.cds.update_failure")
        ),
    )


def get_keys(caller: Caller) -> dict[str, str]:
    credentials = caller.client("sts")._request_signer._credentials
    found = {"AWS_ACCESS_KEY_ID": credentials.access_key, "AWS_SECRET_ACCESS_KEY": credentials.secret_key}
    return {**found, **({"AWS_SESSION_TOKEN": credentials.token} if credentials.token else {})}


def wait_for_stat(envoys: Envoys, number: int, name: str) -> None:
    """Wait until an Envoy has counted something."""
    eventually(lambda: envoys.read_stats(number, name), lambda stats: any(stats.values()))


def list_own(cloud: MeshCloud, envoys: Envoys) -> list[dict[str, Any]]:
    """Return what is told of the Envoys of an account."""
    return [each for each in envoys.show()["envoys"] if f":{cloud.account}:" in each["id"]]


def test_signatures_and_policies_decide(strict_account: Account) -> None:
    """In strict mode an Envoy signs its stream; it needs appmesh:StreamAggregatedResources on its own node."""
    cloud = MeshCloud(StrictAws(strict_account))
    cloud.create_node("n")
    arn = strict_account.arn_of("appmesh", "mesh/m/virtualNode/n")
    action = "appmesh:StreamAggregatedResources"
    may = strict_account.user(allow(action, arn), name="may")
    may_other = strict_account.user(allow(action, f"{arn}x"), name="other")
    role = strict_account.role({"AWS": strict_account.number}, allow(action, arn))
    session = strict_account.assume(role, strict_account.user(allow("sts:AssumeRole"), name="assumes"))
    with Envoys(cloud) as envoys:
        assert "envoys" not in envoys.show()
        for caller in (may, session):
            assert connect(envoys, caller)["cluster_manager.cds.update_success"] == 1
        assert connect(envoys, may_other)["cluster_manager.cds.update_success"] == 0
        assert connect(envoys, None)["cluster_manager.cds.update_success"] == 0
        wrong = {"AWS_SECRET_ACCESS_KEY": "wrong"}
        assert connect(envoys, may, wrong)["cluster_manager.cds.update_success"] == 0


def test_certificates_are_for_those_who_may_export_them(strict_account: Account) -> None:
    """App Mesh user guide, TLS: what gets the private key needs acm:ExportCertificate, too."""
    cloud = MeshCloud(StrictAws(strict_account))
    acm = AcmCloud(cloud.aws)
    one, two = acm.bring(make_pair("n.local")), acm.bring(make_pair("n.local"))

    def listen_with(arn: str) -> dict[str, Any]:
        return listen(8080, tls={"mode": "STRICT", "certificate": {"acm": {"certificateArn": arn}}})

    cloud.create_node("n", listen_with(one))
    stream = allow("appmesh:StreamAggregatedResources")
    may = strict_account.user(stream, allow("acm:ExportCertificate", one), name="may")
    may_not = strict_account.user(stream, allow("acm:ExportCertificate", two), name="other")
    with Envoys(cloud) as envoys:
        assert connect(envoys, may)["cluster_manager.cds.update_success"] == 1
        assert connect(envoys, may_not)["cluster_manager.cds.update_success"] == 0
        cloud.update_node("n", listeners=[listen_with(two)])
        eventually(lambda: envoys.read_stats(1, "connected_state"), lambda stats: not any(stats.values()))
        wait_for_stat(envoys, 2, "lds.update_success")


@meaningless_in("strict", because="calls must be signed")
def test_in_open_mode_the_id_is_enough(cloud: MeshCloud, envoys: Envoys) -> None:
    """APPMESH_VIRTUAL_NODE_NAME is a path, of the default account; APPMESH_RESOURCE_ARN is the whole ARN."""
    other = MeshCloud(Aws(cloud.aws.endpoint, "000000000000"), f"m{cloud.account}")
    other.create_node("n")
    plain = BootstrapOptions()
    envoys.launch(f"mesh/{other.mesh}/virtualNode/n@{envoys.pick_address()}", options=plain)
    wait_for_stat(envoys, 1, "cds.update_success")
    envoys.launch(f"mesh/{other.mesh}/virtualNode/none@{envoys.pick_address()}", options=plain)
    envoys.launch("something else", options=plain)
    for number in (2, 3):
        wait_for_stat(envoys, number, "cds.update_failure")


@_told
def test_a_node_that_is_made_later_is_served(cloud: MeshCloud, envoys: Envoys) -> None:
    address = envoys.pick_address()
    envoys.launch(f"arn:aws:appmesh:us-east-1:{cloud.account}:mesh/m/virtualNode/late@{address}")
    wait_for_stat(envoys, 1, "cds.update_failure")
    cloud.create_node("late", listen(8080))
    wait_for_stat(envoys, 1, "lds.update_success")
    cloud.api.delete_virtual_node(meshName="m", virtualNodeName="late")
    eventually(
        lambda: [each for each in envoys.show()["envoys"] if f":{cloud.account}:" in each["id"]],
        lambda found: not found,
    )


@_told
def test_a_refused_configuration_is_shown(cloud: MeshCloud, envoys: Envoys) -> None:
    """A regular expression, say, is known to be wrong by Envoy alone, which stays as it was."""
    envoys.add_node("blue", listen(8080))
    cloud.create_router("r", listen(80))
    cloud.create_route(httpRoute=route_to("blue"))
    cloud.create_service("color.local", router="r")
    envoys.add_client("color.local")
    cloud.update_route(httpRoute=route_to("blue", match={"path": {"regex": "(unclosed"}}))

    def find_refusals() -> dict[str, str]:
        shown = [
            each for each in envoys.show()["envoys"] if f":{cloud.account}:mesh/m/virtualNode/front@" in each["id"]
        ]
        refusals: dict[str, str] = shown[0]["refusals"]
        return refusals

    refusals = eventually(find_refusals, bool)
    assert "missing )" in refusals["ROUTE"]
    assert envoys.call("color.local").body == "blue"
    cloud.update_route(httpRoute=route_to("blue", match={"path": {"regex": "/x"}}))
    eventually(find_refusals, lambda refusals: not refusals)
    assert envoys.call("color.local", "/x").body == "blue"


def test_envoys_outlive_the_service(tmp_path: Path) -> None:
    """A Cloudlet that is killed is found again at the same port; meanwhile all traffic goes on."""
    with Server.start("--data", str(tmp_path)) as server:
        cloud = MeshCloud(Aws(server.endpoint, "111111111111"))
        with Envoys(cloud) as envoys:
            for color in ("blue", "green"):
                envoys.add_node(color, listen(8080))
            cloud.create_router("r", listen(80))
            cloud.create_route(httpRoute=route_to("blue"))
            cloud.create_service("color.local", router="r")
            envoys.add_client("color.local")
            address = envoys.show()["address"]
            server.kill()
            assert envoys.count("color.local", 10) == {"blue": 10}
            with Server.start("--data", str(tmp_path), "--port", str(server.port)):
                assert envoys.show()["address"] == address
                cloud.update_route(httpRoute=route_to("green"))
                envoys.expect("color.local", "green")


@meaningless_in("replicas", because="commands are for one process")
def test_the_command_prints_a_bootstrap(cloud: MeshCloud) -> None:
    port = cloud.aws.endpoint.rpartition(":")[2]
    done = cloudlet(
        "envoy", "mesh/m/virtualNode/n", "--admin", "127.0.0.1:0", "--sign", "us-east-1", "--mark", "7", "--port", port
    )
    bootstrap = json.loads(done.stdout)
    assert bootstrap["node"] == {"id": "mesh/m/virtualNode/n", "cluster": "mesh/m/virtualNode/n"}
    given = json.dumps(bootstrap)
    checked = subprocess.run(
        [str(program.find()), "--mode", "validate", "--config-yaml", given], capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert cloudlet("envoy", "mesh/m", "--port", port).returncode == 2


def test_an_isolated_block_serves_envoys() -> None:
    with Server.start("--ephemeral", "--isolate") as server:
        cloud = MeshCloud(Aws(server.endpoint, "111111111111"))
        with Envoys(cloud) as envoys:
            blue = envoys.add_node("blue", listen(8080))
            cloud.create_service("color.local", node="blue")
            envoys.add_client("color.local")
            assert envoys.call("color.local").body == blue.name


def test_requests_are_traced(tmp_path: Path) -> None:
    """ENABLE_ENVOY_XRAY_TRACING: each Envoy reports a segment to X-Ray's daemon, which Cloudlet may be."""
    port = free_port()
    with Server.start("--ephemeral", "--xray-daemon", str(port)) as server:
        cloud = MeshCloud(Aws(server.endpoint, "000000000000"))
        with Envoys(cloud) as envoys:
            envoys.options = replace(SIGNED, tracing=f"127.0.0.1:{port}")
            envoys.add_node("blue", listen(8080))
            cloud.create_service("color.local", node="blue")
            envoys.add_client("color.local")
            assert envoys.call("color.local").body == "blue"
            xray: Any = cloud.aws.client("xray")
            now = datetime.datetime.now(datetime.UTC)
            minute = datetime.timedelta(minutes=1)

            def list_names() -> set[str]:
                graph = xray.get_service_graph(StartTime=now - minute, EndTime=now + minute)
                return {each["Name"] for each in graph["Services"]}

            eventually(list_names, lambda names: {"m/front", "m/blue"} <= names)
