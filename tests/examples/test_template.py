"""The shop's functions, deployed by their SAM template."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.cloudformation.deploying import Stacks

TEMPLATE = Path(__file__).parents[2] / "examples" / "shop" / "template.yaml"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]


def test_the_functions_are_deployed_by_their_template(tmp_path: Path) -> None:
    with Server.start("--ephemeral") as server:
        aws = Aws(server.endpoint, fresh_account())
        stacks = Stacks(aws)
        given = {"Runtime": f"python3.{sys.version_info.minor}", "Live": aws.endpoint}
        parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
        stack = stacks.create("shop", _package(aws, tmp_path), Capabilities=CAPABILITIES, Parameters=parameters)
        assert stack["StackStatus"] == "CREATE_COMPLETE", stacks.events("shop")

        functions = aws.client("lambda")
        handlers = {each["Handler"]: each["FunctionName"] for each in functions.list_functions()["Functions"]}
        names = ("thumbnails", "checkout", "history", "tickets", "connections", "progress")
        assert set(handlers) == {f"functions.{name}.handler" for name in names}
        answer = functions.invoke(
            FunctionName=handlers["functions.progress.handler"], Payload=json.dumps({"Records": []})
        )
        assert "FunctionError" not in answer, answer["Payload"].read()
        assert stacks.delete("shop")["StackStatus"] == "DELETE_COMPLETE"


def _package(aws: Aws, folder: Path) -> str:
    """Return the template with its code in a bucket, as `aws cloudformation package` writes it."""
    aws.client("s3").create_bucket(Bucket="code")
    packaged = folder / "packaged.yaml"
    options = ("--template-file", TEMPLATE, "--s3-bucket", "code", "--output-template-file", packaged)
    command = [str(Path(sys.executable).parent / "aws"), "cloudformation", "package", *map(str, options)]
    subprocess.run(command, env={**os.environ, **aws.environment}, capture_output=True, check=True, timeout=120)
    return packaged.read_text()
