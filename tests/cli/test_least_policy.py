"""`cloudlet least-policy`: a role with the policy that it writes can do again what it did, and nothing else."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import cloudlet
from tests.standing import eventually

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
DATA = ("DynamoDB::Table", "Lambda::Function", "S3::Object", "SNS::Topic", "SQS::Queue")
ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


@dataclass(frozen=True)
class Cloud:
    """A server that enforces permissions, the root of an account, and a key of a user who takes its role."""

    server: Server
    root: Aws
    key: dict[str, str]

    def worker(self, service: str) -> Any:
        """Return a client that a session of the role has."""
        own = {"aws_access_key_id": self.key["AccessKeyId"], "aws_secret_access_key": self.key["SecretAccessKey"]}
        given = self.root.client("sts", **own).assume_role(RoleArn=ROLE, RoleSessionName="work")["Credentials"]
        return self.root.client(
            service,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    def write_policy(self, *options: str) -> subprocess.CompletedProcess[str]:
        return cloudlet("least-policy", ROLE, *options, "--port", self.server.port)

    def attach(self, document: str) -> None:
        """Give the role one policy, in place of the one that it has."""
        self.root.client("iam").put_role_policy(RoleName="worker", PolicyName="work", PolicyDocument=document)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Server.start("--ephemeral", "--auth", "strict", "--root-key", f"{ACCOUNT}:{ACCOUNT}:test") as server:
        root = Aws(server.endpoint, ACCOUNT)
        root.client("iam").create_user(UserName="ann")
        root.client("iam").put_user_policy(UserName="ann", PolicyName="all", PolicyDocument=ALL)
        key = root.client("iam").create_access_key(UserName="ann")["AccessKey"]
        cloud = Cloud(server, root, key)
        _prepare(cloud)
        yield cloud


def _prepare(cloud: Cloud) -> None:
    """Make the role, and what it works on; have data events recorded."""
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    schedules = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
    for name, statement in (("worker", trust), ("schedules", schedules)):
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        cloud.root.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
    cloud.attach(ALL)
    cloud.root.client("cloudtrail").create_event_data_store(
        Name="calls",
        TerminationProtectionEnabled=False,
        AdvancedEventSelectors=[
            {
                "FieldSelectors": [
                    {"Field": "eventCategory", "Equals": ["Data"]},
                    {"Field": "resources.type", "Equals": [f"AWS::{kind}"]},
                ]
            }
            for kind in DATA
        ],
    )
    cloud.root.client("sqs").create_queue(QueueName="orders")
    cloud.root.client("sqs").create_queue(QueueName="others")
    cloud.root.client("sns").create_topic(Name="news")
    cloud.root.client("s3").create_bucket(Bucket="reports")
    cloud.root.client("secretsmanager").create_secret(Name="shop/key", SecretString="hush")
    cloud.root.client("ssm").put_parameter(Name="/shop/stage", Value="beta", Type="SecureString")
    cloud.root.client("events").put_rule(Name="nightly", ScheduleExpression="rate(1 day)")
    key = cloud.root.client("kms").create_key()["KeyMetadata"]["KeyId"]
    cloud.root.client("kms").create_alias(AliasName="alias/shop", TargetKeyId=key)
    cloud.root.client("dynamodb").create_table(
        TableName="stock",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "shelf")],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-shelf",
                "KeySchema": [{"AttributeName": "shelf", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def _work(cloud: Cloud) -> None:
    """Do what the role does."""
    sqs, s3, dynamodb, kms = (cloud.worker(name) for name in ("sqs", "s3", "dynamodb", "kms"))
    url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="an order")
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "another"}])
    received = sqs.receive_message(QueueUrl=url)["Messages"][0]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"])
    for number in range(12):
        s3.put_object(Bucket="reports", Key=f"2030/{number}*.txt", Body=b"a report")
    s3.copy_object(Bucket="reports", Key="latest.txt", CopySource={"Bucket": "reports", "Key": "2030/1*.txt"})
    assert s3.get_object(Bucket="reports", Key="latest.txt")["Body"].read() == b"a report"
    s3.list_objects_v2(Bucket="reports")
    s3.delete_objects(Bucket="reports", Delete={"Objects": [{"Key": "latest.txt"}]})
    dynamodb.put_item(TableName="stock", Item={"id": {"S": "1"}, "shelf": {"S": "a"}})
    dynamodb.get_item(TableName="stock", Key={"id": {"S": "1"}})
    wanted = {"KeyConditionExpression": "shelf = :s", "ExpressionAttributeValues": {":s": {"S": "a"}}}
    dynamodb.query(TableName="stock", IndexName="by-shelf", **wanted)
    dynamodb.batch_write_item(RequestItems={"stock": [{"PutRequest": {"Item": {"id": {"S": "2"}}}}]})
    dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": "stock", "Item": {"id": {"S": "3"}}}},
            {"Delete": {"TableName": "stock", "Key": {"id": {"S": "2"}}}},
        ]
    )
    cloud.worker("sns").publish(TopicArn=f"arn:aws:sns:us-east-1:{ACCOUNT}:news", Message="hello")
    cloud.worker("secretsmanager").get_secret_value(SecretId="shop/key")
    cloud.worker("ssm").get_parameter(Name="/shop/stage", WithDecryption=True)
    sealed = kms.encrypt(KeyId="alias/shop", Plaintext=b"x")["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=sealed)
    cloud.worker("logs").create_log_group(logGroupName="/shop/work")
    cloud.worker("logs").delete_log_group(logGroupName="/shop/work")
    cloud.worker("events").describe_rule(Name="nightly")
    cloud.worker("sts").get_caller_identity()
    target = {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders", "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/schedules"}
    scheduler = cloud.worker("scheduler")
    scheduler.create_schedule(
        Name="daily", ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    scheduler.delete_schedule(Name="daily")


def _denied(operation: Callable[..., Any], **params: Any) -> bool:
    with pytest.raises(ClientError) as caught:
        operation(**params)
    return "Denied" in caught.value.response["Error"]["Code"]


def _find(policy: Any, action: str) -> Any:
    """Return the statement that allows an action."""
    return next(each for each in policy["Statement"] if action in each["Action"])


def test_the_same_work_is_allowed_and_nothing_else(cloud: Cloud) -> None:
    # Blocks learn within some seconds that data events are wanted.
    def is_recorded() -> bool:
        cloud.worker("sqs").send_message(QueueUrl=f"{cloud.server.endpoint}/{ACCOUNT}/orders", MessageBody="try")
        cloud.worker("s3").put_object(Bucket="reports", Key="2030/try", Body=b"")
        cloud.worker("dynamodb").get_item(TableName="stock", Key={"id": {"S": "0"}})
        cloud.worker("sns").publish(TopicArn=f"arn:aws:sns:us-east-1:{ACCOUNT}:news", Message="try")
        time.sleep(0.5)
        written = cloud.write_policy().stdout
        return all(action in written for action in ("sqs:SendM", "s3:PutO", "dynamodb:GetI", "sns:Publish"))

    eventually(is_recorded)
    _work(cloud)
    eventually(lambda: "scheduler:DeleteSchedule" in cloud.write_policy().stdout)
    written = cloud.write_policy()
    assert written.returncode == 0, written.stderr
    policy = json.loads(written.stdout)
    assert "data events" in written.stderr

    queue = _find(policy, "sqs:SendMessage")
    assert queue["Resource"] == [f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders"]
    assert queue["Action"] == [
        "sqs:DeleteMessage",
        "sqs:GetQueueUrl",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
    ]
    # More than ten objects are written as what their names have in common.
    assert "arn:aws:s3:::reports/2030/*" in _find(policy, "s3:PutObject")["Resource"]
    assert _find(policy, "iam:PassRole") == {
        "Effect": "Allow",
        "Action": ["iam:PassRole"],
        "Resource": [f"arn:aws:iam::{ACCOUNT}:role/schedules"],
        "Condition": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
    }
    assert not any("sts:GetCallerIdentity" in each["Action"] for each in policy["Statement"])

    cloud.attach(written.stdout)
    _work(cloud)
    assert _denied(cloud.worker("sqs").purge_queue, QueueUrl=f"{cloud.server.endpoint}/{ACCOUNT}/orders")
    assert _denied(
        cloud.worker("sqs").send_message, QueueUrl=f"{cloud.server.endpoint}/{ACCOUNT}/others", MessageBody="x"
    )
    assert _denied(cloud.worker("events").delete_rule, Name="nightly")
    # What was denied asks for nothing; the same calls make the same policy.
    again = cloud.write_policy()
    assert again.stdout == written.stdout
    assert "calls that were denied are not in it" in again.stderr


def test_calls_of_a_user_of_an_isolated_cloudlet() -> None:
    with Server.start("--ephemeral", "--isolate") as server:
        root = Aws(server.endpoint, fresh_account())
        root.client("iam").create_user(UserName="ann", Path="/team/")
        key = root.client("iam").create_access_key(UserName="ann")["AccessKey"]
        own = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        root.client("sqs", **own).create_queue(QueueName="orders")
        arn = f"arn:aws:iam::{root.account}:user/team/ann"
        written = eventually(lambda: cloudlet("least-policy", arn, "--port", server.port).stdout)
        (statement,) = json.loads(written)["Statement"]
        queue = f"arn:aws:sqs:us-east-1:{root.account}:orders"
        assert statement == {"Effect": "Allow", "Action": ["sqs:CreateQueue"], "Resource": [queue]}


def test_calls_since_some_time(cloud: Cloud) -> None:
    assert cloud.write_policy("--since", "1h").returncode == 0
    late = cloud.write_policy("--since", "2999-01-01T00:00:00Z")
    assert late.returncode == 1
    assert "no calls" in late.stderr or "before the end" in late.stderr


@pytest.mark.parametrize("arn", ["worker", "arn:aws:sqs:us-east-1:123456789012:orders", "arn:aws:iam::1:role/x"])
def test_what_is_no_principal(cloud: Cloud, arn: str) -> None:
    done = cloudlet("least-policy", arn, "--port", cloud.server.port)
    assert (done.returncode, done.stdout) == (2, "")
