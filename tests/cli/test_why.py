"""`cloudlet why`: which policies denied a request, and what came near to allowing it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server
from tests.commands import cloudlet

ACCOUNT = "123456789012"
OFFICE = "203.0.113.0/24"


@dataclass(frozen=True)
class StrictCloud:
    """A server that enforces permissions, and a user of it."""

    server: Server
    root: Aws
    key: dict[str, str]

    def client(self, service: str) -> Any:
        """Return a client that the user has."""
        own = {"aws_access_key_id": self.key["AccessKeyId"], "aws_secret_access_key": self.key["SecretAccessKey"]}
        return self.root.client(service, **own)

    def allow(self, name: str, *statements: dict[str, Any]) -> None:
        """Give the user a policy."""
        document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **s} for s in statements]})
        self.root.client("iam").put_user_policy(UserName="bob", PolicyName=name, PolicyDocument=document)

    def why(self, *arguments: str, code: int = 0) -> str:
        done = cloudlet("why", *arguments, "--port", self.server.port)
        assert done.returncode == code, done.stderr
        return done.stdout or done.stderr


@pytest.fixture(scope="module", params=["one process", "isolated"])
def cloud(request: pytest.FixtureRequest) -> Iterator[StrictCloud]:
    options = ("--isolate",) if request.param == "isolated" else ()
    with Server.start("--ephemeral", "--auth", "strict", "--root-key", f"{ACCOUNT}:{ACCOUNT}:test", *options) as server:
        root = Aws(server.endpoint, ACCOUNT)
        root.client("iam").create_user(UserName="bob")
        key = root.client("iam").create_access_key(UserName="bob")["AccessKey"]
        yield StrictCloud(server, root, key)


def denied(operation: Any, **params: Any) -> str:
    """Return the id of a request that is denied."""
    with pytest.raises(ClientError) as caught:
        operation(**params)
    assert "not authorized" in caught.value.response["Error"]["Message"]
    return str(caught.value.response["ResponseMetadata"]["RequestId"])


def test_a_statement_that_came_near(cloud: StrictCloud) -> None:
    from_office = {"IpAddress": {"aws:SourceIp": OFFICE}}
    cloud.allow("lists", {"Sid": "FromOffice", "Action": "events:List*", "Resource": "*", "Condition": from_office})
    lines = cloud.why(denied(cloud.client("events").list_rules)).splitlines()
    assert lines[0].startswith(f"User: arn:aws:iam::{ACCOUNT}:user/bob is not authorized to perform: events:ListRules")
    assert "Missing: an Allow in the identity-based policy (lists)" in lines
    assert any("Near: statement FromOffice" in line and OFFICE in line for line in lines)


def test_a_statement_that_denies(cloud: StrictCloud) -> None:
    url = cloud.root.client("sqs").create_queue(QueueName="orders")["QueueUrl"]
    cloud.allow(
        "sends",
        {"Action": "sqs:*", "Resource": "*"},
        {"Sid": "No", "Effect": "Deny", "Action": "sqs:SendM*", "Resource": "*"},
    )
    told = cloud.why(denied(cloud.client("sqs").send_message, QueueUrl=url, MessageBody="hello"))
    assert "with an explicit deny in an identity-based policy" in told
    assert "Denied by statement No of the identity-based policy sends" in told


def test_the_last_denials(cloud: StrictCloud) -> None:
    first = denied(cloud.client("logs").describe_log_groups)
    second = denied(cloud.client("events").put_rule, Name="r", ScheduleExpression="rate(1 day)")
    listed = cloud.why().splitlines()
    assert [line.split()[0] for line in listed[-2:]] == [first, second]
    assert "events:PutRule" in listed[-1]


def test_a_request_that_was_not_denied(cloud: StrictCloud) -> None:
    allowed = cloud.root.client("sqs").list_queues()["ResponseMetadata"]["RequestId"]
    assert "no denial of a request" in cloud.why(allowed, code=1)


def test_only_with_the_admin_token(cloud: StrictCloud) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{cloud.server.endpoint}/_cloudlet/denials")
    assert caught.value.code == 403
