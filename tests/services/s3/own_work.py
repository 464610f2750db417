"""What tests of S3 share that are about what it does by itself."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import boto3

from cloudlet.testing.server import Aws, Server
from tests.standing import eventually


@dataclass(frozen=True)
class Strict:
    """A running Cloudlet that enforces permissions, and the root of an account on it."""

    server: Server
    account: str = "111111111111"
    key: str = "AKIATESTOWNWORK"

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.server.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.key,
            aws_secret_access_key="of-tests",
        )

    def admit(self, bucket: str, principal: str, source: str) -> None:
        """Let a service of S3's write into a bucket on behalf of another one."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": principal},
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
            "Condition": {
                "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{source}"},
                "StringEquals": {"aws:SourceAccount": self.account},
            },
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)


@contextmanager
def strict_server() -> Iterator[Strict]:
    """Run a server until the end of the `with` block."""
    root = f"{Strict.account}:{Strict.key}:of-tests"
    with Server.start("--ephemeral", "--auth", "strict", "--root-key", root) as server:
        yield Strict(server)


def bucket(s3: Any, *, versioned: bool = False, **options: Any) -> str:
    """Create a bucket."""
    name = f"own-{secrets.token_hex(8)}"
    s3.create_bucket(Bucket=name, **options)
    if versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def replication_role(s3: Any, *statements: dict[str, Any], name: str = "replicator") -> str:
    """Return the ARN of a role of the account of a client, by which S3 may replicate; it may do all or these alone."""
    all_of_it = {"Effect": "Allow", "Action": ["s3:*", "kms:*"], "Resource": "*"}
    return make_role(s3, "s3.amazonaws.com", *(statements or (all_of_it,)), name=name)


def make_role(s3: Any, service: str, *statements: dict[str, Any], name: str) -> str:
    """Return the ARN of a role of the account of a client, by which a service may do what the statements say."""
    keys = s3._request_signer._credentials
    iam = boto3.client(
        "iam",
        endpoint_url=s3.meta.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
    )
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=_policy(*statements))
    return str(iam.get_role(RoleName=name)["Role"]["Arn"])


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def open_to_all(s3: Any, name: str) -> None:
    """Let everybody list and read a bucket."""
    s3.delete_public_access_block(Bucket=name)
    resources = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    public = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": resources}
    s3.put_bucket_policy(Bucket=name, Policy=_policy(public))


def let_in(s3: Any, target: str, principal: str) -> None:
    """Let a service of S3's write into a bucket, whatever the source."""
    service = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "s3:PutObject"}
    s3.put_bucket_policy(Bucket=target, Policy=_policy({**service, "Resource": f"arn:aws:s3:::{target}/*"}))


def keys(s3: Any, name: str, prefix: str = "") -> list[str]:
    """Return the keys of the objects in a bucket."""
    return [each["Key"] for each in s3.list_objects_v2(Bucket=name, Prefix=prefix).get("Contents", [])]


def queue(aws: Aws, name: str) -> tuple[str, str]:
    """Create a queue; return its URL and its ARN."""
    url = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:{aws.region}:{aws.account}:{name}"


def told(sqs: Any, url: str) -> Any:
    """Return the next message of a queue, from JSON. Fails where none comes."""
    received = eventually(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages"))
    sqs.delete_message(QueueUrl=url, ReceiptHandle=received[0]["ReceiptHandle"])
    return json.loads(received[0]["Body"])


def event(sqs: Any, url: str) -> Any:
    """Return the one record of the next event notification in a queue."""
    (record,) = told(sqs, url)["Records"]
    return record


def tell_queue(s3: Any, sqs: Any, name: str, url: str, arn: str, *events: str, **more: Any) -> None:
    """Have events in a bucket told to a queue, and take the test event out of it."""
    configured = {"QueueArn": arn, "Events": list(events), **more}
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"QueueConfigurations": [configured]}
    )
    assert told(sqs, url)["Event"] == "s3:TestEvent"
