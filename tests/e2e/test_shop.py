"""The shop of examples/shop, deployed by the AWS CDK as its users do it."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from http.client import HTTPConnection
from pathlib import Path

import pytest

from cloudlet.testing.server import Aws
from tests.e2e.client import CDK, INSTALLED, PATH, RUNNING, Client, installed, installed_module
from tests.e2e.conftest import MakeClient

SHOP = Path(__file__).parents[2] / "examples" / "shop"


@pytest.fixture
def cdk(client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> Client:
    """CDK, whose application is the shop."""
    monkeypatch.chdir(SHOP)
    python = Path(installed(str(CDK / "python3"))).parent
    path = os.pathsep.join((str(python), PATH))
    return client(
        str(INSTALLED / "node"),
        PATH=path,
        CDK_DISABLE_CLI_TELEMETRY="true",
        # Unpacked once, not for each home.
        JSII_RUNTIME_PACKAGE_CACHE_ROOT=str(Path(tempfile.gettempdir()) / "cloudlet-jsii"),
        JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION="1",
        PYTHONDONTWRITEBYTECODE="1",
    )


def test_the_shop_is_what_its_template_says_and_is_deployed_and_destroyed(
    cdk: Client, client: MakeClient, aws: Aws, tmp_path: Path
) -> None:
    """`cdk synth --quiet --output made && cp made/shop.template.json infrastructure/template.json`."""
    program = installed_module("aws-cdk/bin/cdk")
    cdk.run(program, "synth", "--quiet", "--output", tmp_path / "made")
    made = json.loads((tmp_path / "made" / "shop.template.json").read_text())
    assert made == json.loads((SHOP / "infrastructure" / "template.json").read_text())

    given = client(sys.executable, **RUNNING).run("deploy.py", "--publish").split()
    cdk.run(program, "bootstrap", f"aws://{aws.account}/{aws.region}")
    cdk.run(program, "deploy", "--require-approval", "never", "--app", tmp_path / "made", *given)

    ecs = aws.client("ecs")
    arns = ecs.list_services(cluster="shop")["serviceArns"]
    services = ecs.describe_services(cluster="shop", services=arns)["services"]
    assert {each["serviceName"]: each["runningCount"] for each in services} == dict.fromkeys(
        ("email", "front", "inventory", "on-call", "orders", "outbox", "payments"), 1
    )
    [stack] = aws.client("cloudformation").describe_stacks(StackName="shop")["Stacks"]
    [front] = [output["OutputValue"] for output in stack["Outputs"] if output["OutputKey"] == "Front"]
    door = HTTPConnection(aws.endpoint.removeprefix("http://"), timeout=60)
    door.request("GET", f"/_aws/elb/{front.partition('.')[0]}/catalogue", headers={"Host": "shop.example"})
    answer = door.getresponse()
    assert (answer.status, answer.headers["Location"]) == (301, "https://shop.example:443/catalogue")
    door.close()

    cdk.run(program, "destroy", "--force", "--app", tmp_path / "made")
    assert ecs.list_clusters()["clusterArns"] == []
    assert [each["StackName"] for each in aws.client("cloudformation").describe_stacks()["Stacks"]] == ["CDKToolkit"]
