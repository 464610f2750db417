"""A rotation function as AWS's template has it, which tells a queue of each call, and fails where a tag says so."""

from __future__ import annotations

import json
from typing import Any, Final

from cloudlet.testing.server import Aws
from tests.services.lambda_.cloud import FunctionCloud, package
from tests.services.secretsmanager.cloud import SecretCloud

_CODE: Final = """
import json, os
import boto3

secrets, queues = boto3.client("secretsmanager"), boto3.client("sqs")


def handler(event, context):
    arn, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    found = secrets.describe_secret(SecretId=arn)
    tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
    queues.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
    if tags.get("fails") == step:
        raise ValueError(f"{step} fails")
    stages = found["VersionIdsToStages"]
    if not found["RotationEnabled"] or token not in stages:
        raise ValueError(f"{arn} is not set up for rotation")
    if "AWSCURRENT" in stages[token]:
        return
    if "AWSPENDING" not in stages[token]:
        raise ValueError(f"{token} is not AWSPENDING")
    pending = {"SecretId": arn, "VersionId": token, "VersionStage": "AWSPENDING"}
    if step == "createSecret":
        try:
            secrets.get_secret_value(**pending)
        except secrets.exceptions.ResourceNotFoundException:
            password = secrets.get_random_password()["RandomPassword"]
            secrets.put_secret_value(
                SecretId=arn,
                ClientRequestToken=token,
                SecretString=password,
                VersionStages=["AWSPENDING"],
                RotationToken=event["RotationToken"],
            )
    elif step == "testSecret":
        secrets.get_secret_value(**pending)
    elif step == "finishSecret":
        (current,) = [version for version, labels in stages.items() if "AWSCURRENT" in labels]
        secrets.update_secret_version_stage(
            SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
        )
"""


class RotationCloud(SecretCloud):
    """Secrets of one account, and a function that rotates them."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self._queues: Any = aws.client("sqs")
        self._url = self._queues.create_queue(QueueName="calls")["QueueUrl"]
        functions = FunctionCloud(aws)
        functions.function(
            Code={"ZipFile": package({"index.py": _CODE})},
            Environment={"Variables": {"QUEUE": self._url}},
            Timeout=60,
        )
        functions.client.add_permission(
            FunctionName="f",
            StatementId="s",
            Action="lambda:InvokeFunction",
            Principal="secretsmanager.amazonaws.com",
        )
        self.function = functions.arn()

    def rotate(self, id: str = "s", **more: Any) -> str:
        """Rotate a secret by the function; return the id of the new version."""
        version: str = self.client.rotate_secret(SecretId=id, RotationLambdaARN=self.function, **more)["VersionId"]
        return version

    def calls(self, count: int) -> list[dict[str, str]]:
        """Return the next events that the function is called with."""
        events: list[dict[str, str]] = []
        while len(events) < count:
            answer = self._queues.receive_message(QueueUrl=self._url, WaitTimeSeconds=20)
            for message in answer.get("Messages", []):
                events.append(json.loads(message["Body"]))
                self._queues.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
            assert answer.get("Messages"), f"the function was called {len(events)} times"
        return events

    def is_quiet(self) -> bool:
        """Whether no call waits to be seen."""
        return "Messages" not in self._queues.receive_message(QueueUrl=self._url)
