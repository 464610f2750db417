"""CDK, whose application has assets, an image, custom resources and what they lead to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from cloudlet.testing.server import Aws
from tests.e2e.client import DEPLOYING, INSTALLED, MODULES, Client, installed_module
from tests.e2e.conftest import MakeClient
from tests.standing import eventually

_REGISTRIES = '[[registry]]\nlocation = "{host}"\ninsecure = true\n'
_STORAGE = '[storage]\ndriver = "vfs"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'


class Cdk:
    """The program, in the folder of an application."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._program = installed_module("aws-cdk/bin/cdk")

    def run(self, *arguments: str, app: str = "") -> str:
        """Run it; what it prints for people is part of what is returned."""
        return self._client.run(self._program, *arguments, "--ci", *(("--app", app) if app else ()))

    @contextmanager
    def running(self, *arguments: str, app: str) -> Iterator[IO[bytes]]:
        """Run it until the end of the `with` block; what it prints can be read there."""
        with self._client.running(self._program, *arguments, "--ci", "--app", app) as printed:
            yield printed


@pytest.fixture
def cdk(client: MakeClient, aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cdk:
    folder = tmp_path / "shop"
    shutil.copytree(DEPLOYING / "cdk", folder)
    busybox = shutil.which("busybox")
    assert busybox is not None, "scripts/environment work installs busybox-static"
    shutil.copy(busybox, folder / "image" / "busybox")
    monkeypatch.chdir(folder)
    registries, storage = tmp_path / "registries.conf", tmp_path / "storage.conf"
    registries.write_text(_REGISTRIES.format(host=aws.endpoint.removeprefix("http://")))
    storage.write_text(_STORAGE.format(folder=tmp_path))
    environment = {
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DOCKER": "podman",
        "CONTAINERS_REGISTRIES_CONF": str(registries),
        "CONTAINERS_STORAGE_CONF": str(storage),
        "NODE_PATH": str(MODULES),
    }
    return Cdk(client(str(INSTALLED / "node"), **environment))


def test_an_application_from_its_bootstrap_to_its_end(cdk: Cdk, client: MakeClient, aws: Aws) -> None:
    app, made = f"{INSTALLED / 'node'} app.cjs", "cdk.out"
    cdk.run("bootstrap", f"aws://{aws.account}/{aws.region}")
    cdk.run("deploy", "--require-approval", "never", "--outputs-file", "outputs.json", app=app)
    outputs: dict[str, str] = json.loads(Path("outputs.json").read_text())["Shop"]
    assert outputs["Word"] == "seed"

    def call_api() -> str:
        host = f"Host: {outputs['Api']}.execute-api.{aws.region}.amazonaws.com"
        return client("curl").run("-sSf", "-H", host, f"{aws.endpoint}/prod/orders")

    def list_items() -> list[Any]:
        found: list[Any] = aws.client("dynamodb").scan(TableName=outputs["Table"])["Items"]
        return found

    assert call_api() == "hello"
    invoked = aws.client("lambda").invoke(FunctionName=outputs["Image"])
    assert json.loads(invoked["Payload"].read()) == "hello from an image"
    aws.client("sns").publish(TopicArn=outputs["Topic"], Message="parcel")
    eventually(lambda: [item["what"]["S"] for item in list_items()], lambda seen: seen == ["parcel"])

    Path("code/orders.py").write_text(Path("code/orders.py").read_text().replace('"hello"', '"good day"'))
    assert "hotswapped" in cdk.run("deploy", "--hotswap", app=app)
    assert call_api() == "good day"
    assert "S3Key" in cdk.run("diff", app=made)

    url = aws.client("sqs").create_queue(QueueName="old")["QueueUrl"]
    Path("resources.json").write_text(json.dumps({"Queue": {"QueueUrl": url}}))
    cdk.run("import", "--resource-mapping", "resources.json", app=f"{INSTALLED / 'node'} imported.cjs")
    (imported,) = aws.client("cloudformation").list_stack_resources(StackName="Old")["StackResourceSummaries"]
    assert (imported["PhysicalResourceId"], imported["ResourceStatus"]) == (url, "IMPORT_COMPLETE")

    # The bucket has an object, which only its custom resource deletes.
    assert aws.client("s3").list_objects_v2(Bucket=outputs["Bucket"])["KeyCount"] == 1
    cdk.run("destroy", "--force", app=app)
    assert [each["Name"] for each in aws.client("s3").list_buckets()["Buckets"]] == [
        f"cdk-hnb659fds-assets-{aws.account}-{aws.region}"
    ]
    assert aws.client("lambda").list_functions()["Functions"] == []
    assert aws.client("events").list_rules()["Rules"] == []


def test_what_is_watched_is_deployed_again_when_it_changes(cdk: Cdk, aws: Aws) -> None:
    """By `cdk watch --hotswap`, which also shows what functions log."""
    app = f"{INSTALLED / 'node'} watched.cjs"
    cdk.run("bootstrap", f"aws://{aws.account}/{aws.region}")
    cloudformation = aws.client("cloudformation")

    def greet() -> Any:
        outputs = cloudformation.describe_stacks(StackName="Watched")["Stacks"][0]["Outputs"]
        function = next(each["OutputValue"] for each in outputs if each["OutputKey"] == "Function")
        invoked = aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"whom": "Ada"}))
        return json.loads(invoked["Payload"].read())

    def wait_for(text: bytes) -> None:
        seen = []
        for line in printed:
            seen.append(line)
            if text in line:
                return
        pytest.fail(f"cdk watch ended before it printed {text!r}:\n{b''.join(seen).decode()}")

    cdk.run("deploy", "--require-approval", "never", app=app)
    with cdk.running("watch", "--hotswap", app=app) as printed:
        # It deploys once when it begins.
        wait_for(b"hotswap-deployment time")
        assert greet() == "hello"
        made = cloudformation.describe_stacks(StackName="Watched")["Stacks"][0]
        source = Path("greeter/greeter.py")
        source.write_text(source.read_text().replace('"hello"', '"good day"'))
        wait_for(b"hotswapped!")
        assert greet() == "good day"
        wait_for(b"greeting Ada")
    now = cloudformation.describe_stacks(StackName="Watched")["Stacks"][0]
    assert (now["StackStatus"], now.get("LastUpdatedTime")) == ("CREATE_COMPLETE", made.get("LastUpdatedTime"))
