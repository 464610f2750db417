"""Functions of a Cloudlet that listens with TLS: they trust its authority, without doing anything."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudlet.testing.server import Server, fresh_account
from tests.services.ec2.cloud import make_group, make_subnet, make_vpc
from tests.services.lambda_.cloud import FunctionCloud
from tests.services.lambda_.programs import invoke, program, python
from tests.trusting import TrustingAws


@pytest.fixture(scope="module", params=["one process", "isolated"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A Cloudlet, and its data folder."""
    data = tmp_path_factory.mktemp("data")
    options = ["--isolate"] if request.param == "isolated" else []
    with Server.start("--data", str(data), "--tls", *options) as server:
        yield server, data


@pytest.fixture
def cloud(running: tuple[Server, Path]) -> FunctionCloud:
    server, data = running
    return FunctionCloud(TrustingAws(server.endpoint, fresh_account(), data=data))


def test_boto3_reaches_the_endpoint(cloud: FunctionCloud) -> None:
    body = """
import boto3
boto3.client("sqs").create_queue(QueueName="from-inside")
return [os.environ["AWS_ENDPOINT_URL"].partition(":")[0], boto3.client("sts").get_caller_identity()["Account"]]
"""
    python(cloud, body, Timeout=30)
    assert invoke(cloud).value == ["https", cloud.account]


def test_who_is_trusted_on_the_web_is_so_too(cloud: FunctionCloud) -> None:
    body = """
import ssl
every = ssl.create_default_context().get_ca_certs()
return sorted({dict(part for parts in each["subject"] for part in parts).get("commonName", "") for each in every})
"""
    python(cloud, body, Timeout=30)
    found = set(invoke(cloud).value)
    context = ssl.create_default_context()
    context.load_default_certs()
    usual = {
        dict(part for parts in each["subject"] for part in parts).get("commonName", "")  # type: ignore[misc]
        for each in context.get_ca_certs()
    }
    assert found == usual | {"Cloudlet local authority"}
    assert len(found) > 50


def test_what_a_function_says_of_its_authorities_comes_first(cloud: FunctionCloud) -> None:
    variables = {"SSL_CERT_FILE": "/var/task/own.pem"}
    python(cloud, "return os.environ['SSL_CERT_FILE']", Environment={"Variables": variables})
    assert invoke(cloud).value == "/var/task/own.pem"


def test_node_reaches_the_endpoint(cloud: FunctionCloud, node_runtime: str) -> None:
    source = """
const tls = require("tls");
exports.handler = async () => {
  const answer = await fetch(process.env.AWS_ENDPOINT_URL + "/_cloudlet/health");
  return [answer.url.split(":")[0], tls.rootCertificates.length > 50];
};
"""
    cloud.function(Runtime=node_runtime, Code={"ZipFile": program({"index.js": source})}, Timeout=30)
    assert invoke(cloud).value == ["https", True]


def test_a_program_reaches_the_endpoint(cloud: FunctionCloud) -> None:
    body = """
import subprocess
url = os.environ["AWS_ENDPOINT_URL"] + "/_cloudlet/health"
return subprocess.run(["curl", "-sS", "-o", "/dev/null", url], capture_output=True, text=True).stderr
"""
    python(cloud, body, Timeout=30)
    assert invoke(cloud).value == ""


def test_functions_that_start_on_their_own_trust_it(cloud: FunctionCloud) -> None:
    content = program({"python/in_layer.py": "value = 1\n"})
    layer = cloud.client.publish_layer_version(LayerName="more", Content={"ZipFile": content})["LayerVersionArn"]
    body = "import boto3, in_layer\nreturn boto3.client('sts').get_caller_identity()['Account']"
    python(cloud, body, Layers=[layer], Timeout=30)
    assert invoke(cloud).value == cloud.account


def test_it_is_trusted_in_a_vpc_too(cloud: FunctionCloud) -> None:
    ec2 = cloud.aws.client("ec2")
    vpc = make_vpc(ec2)
    config = {"SubnetIds": [make_subnet(ec2, vpc)], "SecurityGroupIds": [make_group(ec2, vpc, "web")]}
    body = "import boto3\nreturn boto3.client('sts').get_caller_identity()['Account']"
    python(cloud, body, Timeout=30, VpcConfig=config)
    assert invoke(cloud).value == cloud.account
