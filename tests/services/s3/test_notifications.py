"""Event notifications: who is told of what, in which words, and what happens while nobody can be told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.core import AwsError
from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.identity import root
from cloudlet.core.kernel.system_clock import SystemClock
from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import cloudlet
from tests.modes import MODE, meaningless_in
from tests.services.s3.own_work import bucket, event, queue, strict_server, tell_queue, told


@pytest.fixture
def s3(aws: Aws) -> Any:
    return aws.client("s3")


@pytest.fixture
def sqs(aws: Aws) -> Any:
    return aws.client("sqs")


def refusal(s3: Any, name: str, configuration: dict[str, Any]) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=configuration)
    error: dict[str, Any] = caught.value.response["Error"]
    return error


def test_a_queue_is_told_what_was_put_where_by_whom(aws: Aws, s3: Any, sqs: Any) -> None:
    name = bucket(s3)
    url, arn = queue(aws, "q")
    tell_queue(s3, sqs, name, url, arn, "s3:ObjectCreated:*", Id="all")
    etag = s3.put_object(Bucket=name, Key="a b/ü+c", Body=b"hello")["ETag"].strip('"')
    record = event(sqs, url)
    assert record["eventSource"] == "aws:s3"
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["awsRegion"] == "us-east-1"
    assert record["userIdentity"]["principalId"].endswith(aws.account)
    assert record["requestParameters"] == {"sourceIPAddress": "127.0.0.1"}
    assert record["s3"]["configurationId"] == "all"
    assert record["s3"]["bucket"]["name"] == name
    assert record["s3"]["bucket"]["arn"] == f"arn:aws:s3:::{name}"
    sequencer = record["s3"]["object"].pop("sequencer")
    assert record["s3"]["object"] == {"key": "a+b/%C3%BC%2Bc", "size": 5, "eTag": etag}
    s3.put_object(Bucket=name, Key="a b/ü+c", Body=b"again")
    assert event(sqs, url)["s3"]["object"]["sequencer"] > sequencer


def test_each_way_to_make_and_remove_an_object_has_its_event(aws: Aws, s3: Any, sqs: Any) -> None:
    name = bucket(s3, versioned=True)
    url, arn = queue(aws, "q")
    tell_queue(s3, sqs, name, url, arn, "s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*")
    seen = []

    def note() -> Any:
        record = event(sqs, url)
        seen.append(record["eventName"])
        return record["s3"]["object"]

    s3.put_object(Bucket=name, Key="a", Body=b"1")
    note()
    version = s3.copy_object(Bucket=name, Key="b", CopySource={"Bucket": name, "Key": "a"})["VersionId"]
    assert note()["versionId"] == version
    upload = s3.create_multipart_upload(Bucket=name, Key="c")["UploadId"]
    part = s3.upload_part(Bucket=name, Key="c", UploadId=upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=name, Key="c", UploadId=upload, MultipartUpload=parts)
    note()
    s3.put_object_tagging(Bucket=name, Key="a", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    # Neither the bytes nor their order among other changes are concerned.
    assert note().keys() == {"key", "eTag", "versionId"}
    s3.delete_object_tagging(Bucket=name, Key="a")
    note()
    marker = s3.delete_object(Bucket=name, Key="a")["VersionId"]
    assert note()["versionId"] == marker
    s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "b", "VersionId": version}]})
    removed = note()
    assert removed["versionId"] == version
    assert "size" not in removed
    assert seen == [
        "ObjectCreated:Put",
        "ObjectCreated:Copy",
        "ObjectCreated:CompleteMultipartUpload",
        "ObjectTagging:Put",
        "ObjectTagging:Delete",
        "ObjectRemoved:DeleteMarkerCreated",
        "ObjectRemoved:Delete",
    ]


def test_a_retention_that_is_put_is_told_of(aws: Aws, s3: Any, sqs: Any) -> None:
    name = bucket(s3, ObjectLockEnabledForBucket=True)
    url, arn = queue(aws, "q")
    tell_queue(s3, sqs, name, url, arn, "s3:ObjectRetention:Put")
    version = s3.put_object(Bucket=name, Key="k", Body=b"1")["VersionId"]
    s3.put_object_legal_hold(Bucket=name, Key="k", LegalHold={"Status": "OFF"})
    until = datetime(2100, 1, 1, tzinfo=UTC)
    s3.put_object_retention(Bucket=name, Key="k", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})
    record = event(sqs, url)
    assert (record["eventName"], record["s3"]["object"]["versionId"]) == ("ObjectRetention:Put", version)


def test_filters_and_event_types_choose(aws: Aws, s3: Any, sqs: Any) -> None:
    name = bucket(s3)
    url, arn = queue(aws, "q")
    rules = [{"Name": "PREFIX", "Value": "in/"}, {"Name": "suffix", "Value": ".png"}]
    chosen = {"Key": {"FilterRules": rules}}
    tell_queue(s3, sqs, name, url, arn, "s3:ObjectCreated:Put", Filter=chosen)
    for key in ("in/a.jpg", "out/a.png", "in/a.png"):
        s3.put_object(Bucket=name, Key=key)
    s3.copy_object(Bucket=name, Key="in/copy.png", CopySource={"Bucket": name, "Key": "in/a.png"})
    s3.delete_object(Bucket=name, Key="in/a.png")
    s3.put_object(Bucket=name, Key="in/z.png")
    assert [event(sqs, url)["s3"]["object"]["key"] for _ in range(2)] == ["in/a.png", "in/z.png"]
    (shown,) = s3.get_bucket_notification_configuration(Bucket=name)["QueueConfigurations"]
    assert [rule["Name"] for rule in shown["Filter"]["Key"]["FilterRules"]] == ["Prefix", "Suffix"]


def test_filters_are_written_as_in_a_url(aws: Aws, s3: Any, sqs: Any) -> None:
    name = bucket(s3)
    url, arn = queue(aws, "q")
    rules = [{"Name": "prefix", "Value": "my+own/"}, {"Name": "suffix", "Value": "%2B.png"}]
    tell_queue(s3, sqs, name, url, arn, "s3:ObjectCreated:Put", Filter={"Key": {"FilterRules": rules}})
    for key in ("my+own/a+.png", "my own/a.png", "my own/a+.png"):
        s3.put_object(Bucket=name, Key=key)
    assert event(sqs, url)["s3"]["object"]["key"] == "my+own/a%2B.png"
    overlapping = [
        {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": [rule]}}}
        for rule in ({"Name": "prefix", "Value": "a+b"}, {"Name": "prefix", "Value": "a%20"})
    ]
    with pytest.raises(ClientError, match="overlap"):
        s3.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={"QueueConfigurations": overlapping}
        )


def test_a_topic_is_told_and_tells_on(aws: Aws, s3: Any, sqs: Any) -> None:
    name = bucket(s3)
    url, arn = queue(aws, "q")
    sns = aws.client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    s3.put_bucket_notification_configuration(
        Bucket=name,
        NotificationConfiguration={"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]},
    )
    assert json.loads(told(sqs, url)["Message"])["Event"] == "s3:TestEvent"
    s3.put_object(Bucket=name, Key="k")
    envelope = told(sqs, url)
    assert envelope["Subject"] == "Amazon S3 Notification"
    assert json.loads(envelope["Message"])["Records"][0]["s3"]["object"]["key"] == "k"


def test_destinations_that_cannot_be_told_are_refused_when_they_are_configured(aws: Aws, s3: Any) -> None:
    name = bucket(s3)
    absent = f"arn:aws:sqs:us-east-1:{aws.account}:absent"
    events = ["s3:ObjectCreated:*"]
    error = refusal(s3, name, {"QueueConfigurations": [{"QueueArn": absent, "Events": events}]})
    assert error["Code"] == "InvalidArgument"
    assert error["Message"] == "Unable to validate the following destination configurations"
    assert error["ArgumentName1"] == absent
    assert error["ArgumentValue1"] == "The destination queue does not exist"
    elsewhere = absent.replace("us-east-1", "eu-west-1")
    error = refusal(s3, name, {"QueueConfigurations": [{"QueueArn": elsewhere, "Events": events}]})
    assert "region is not valid" in error["Message"]
    aws.client("sqs").create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})
    fifo = f"arn:aws:sqs:{aws.region}:{aws.account}:q.fifo"
    assert "FIFO" in refusal(s3, name, {"QueueConfigurations": [{"QueueArn": fifo, "Events": events}]})["Message"]
    assert not s3.get_bucket_notification_configuration(Bucket=name).get("QueueConfigurations")
    s3.put_bucket_notification_configuration(
        Bucket=name,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": absent, "Events": events}]},
        SkipDestinationValidation=True,
    )
    assert s3.get_bucket_notification_configuration(Bucket=name)["QueueConfigurations"][0]["QueueArn"] == absent


def test_a_function_has_to_be_there_unless_nobody_looks(aws: Aws, s3: Any) -> None:
    name = bucket(s3)
    function = f"arn:aws:lambda:us-east-1:{aws.account}:function:f"
    configuration = {
        "LambdaFunctionConfigurations": [{"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}]
    }
    refused = refusal(s3, name, configuration)
    assert refused["Code"] == "InvalidArgument"
    # Whether it is there is told to those whom its policy lets in.
    denied = "Permissions on the destination function do not allow S3 to publish notifications from this bucket"
    assert refused["ArgumentValue1"] == (denied if MODE == "strict" else "The destination function does not exist")
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration=configuration, SkipDestinationValidation=True
    )


def test_a_rule_of_the_default_bus_sees_what_happens_in_a_bucket(aws: Aws, s3: Any) -> None:
    name = bucket(s3)
    sqs, events = aws.client("sqs"), aws.client("events")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="r", EventPattern=json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": [name]}}}))
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": queue}])
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
    s3.put_object(Bucket=name, Key="k", Body=b"12345")
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    told = json.loads(message["Body"])
    assert (told["detail-type"], told["resources"]) == ("Object Created", [f"arn:aws:s3:::{name}"])
    assert told["detail"]["object"]["key"] == "k"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"QueueArn": "nonsense"}, "InvalidArgument"),
        ({"QueueArn": "arn:aws:sns:us-east-1:111111111111:t"}, "InvalidArgument"),
        ({"Events": ["s3:Nothing"]}, "MalformedXML"),
        ({"Filter": {"Key": {"FilterRules": [{"Name": "infix", "Value": "a"}]}}}, "InvalidArgument"),
        ({"Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "x"}] * 2}}}, "InvalidArgument"),
    ],
)
def test_what_is_no_configuration(aws: Aws, s3: Any, changed: dict[str, Any], code: str) -> None:
    _, arn = queue(aws, "q")
    wanted = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"], **changed}
    assert refusal(s3, bucket(s3), {"QueueConfigurations": [wanted]})["Code"] == code


def test_an_argument_that_is_wrong_is_named(aws: Aws, s3: Any) -> None:
    name = bucket(s3)
    _, arn = queue(aws, "q")
    rules = {"Filter": {"Key": {"FilterRules": [{"Name": "Infix", "Value": "a"}]}}}
    events = {"Events": ["s3:ObjectCreated:*"]}
    for configuration, argument in (
        ({"QueueConfigurations": [{"QueueArn": arn, **events, **rules}]}, ("FilterRule.Name", "Infix")),
        ({"QueueConfigurations": [{"QueueArn": "queue", **events}]}, ("Queue", "queue")),
        ({"TopicConfigurations": [{"TopicArn": "topic", **events}]}, ("Topic", "topic")),
        ({"LambdaFunctionConfigurations": [{"LambdaFunctionArn": "f", **events}]}, ("CloudFunction", "f")),
    ):
        error = refusal(s3, name, configuration)
        assert (error["Code"], error["ArgumentName"], error["ArgumentValue"]) == ("InvalidArgument", *argument)


def test_keys_that_are_not_there_are_told_of_where_many_are_deleted(aws: Aws, s3: Any, sqs: Any) -> None:
    name = bucket(s3)
    url, arn = queue(aws, "q")
    tell_queue(s3, sqs, name, url, arn, "s3:ObjectRemoved:*")
    s3.delete_object(Bucket=name, Key="never")
    s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "nor-this"}]})
    record = event(sqs, url)
    told_of = record["s3"]["object"]
    assert (record["eventName"], told_of["key"], told_of.keys()) == (
        "ObjectRemoved:Delete",
        "nor-this",
        {"key", "sequencer"},
    )


def test_the_null_version_is_told_of_without_an_id(aws: Aws, s3: Any, sqs: Any) -> None:
    name = bucket(s3, versioned=True)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    url, arn = queue(aws, "q")
    tell_queue(s3, sqs, name, url, arn, "s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectAcl:Put")
    s3.put_object(Bucket=name, Key="k", Body=b"1")
    assert event(sqs, url)["s3"]["object"].keys() == {"key", "size", "eTag", "sequencer"}
    s3.put_object_acl(Bucket=name, Key="k", ACL="bucket-owner-full-control")
    assert event(sqs, url)["s3"]["object"].keys() == {"key", "eTag"}
    s3.delete_object(Bucket=name, Key="k")
    assert "versionId" not in event(sqs, url)["s3"]["object"]


def test_a_bucket_has_a_hundred_configurations_at_most(aws: Aws, s3: Any) -> None:
    name = bucket(s3)
    arn = f"arn:aws:sqs:{aws.region}:{aws.account}:q"

    def put(count: int) -> None:
        configurations = [
            {
                "QueueArn": arn,
                "Events": ["s3:ObjectCreated:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": f"{number:03}"}]}},
            }
            for number in range(count)
        ]
        s3.put_bucket_notification_configuration(
            Bucket=name,
            NotificationConfiguration={"QueueConfigurations": configurations},
            SkipDestinationValidation=True,
        )

    put(100)
    with pytest.raises(ClientError) as caught:
        put(101)
    assert caught.value.response["Error"]["Code"] == "InvalidArgument"
    found = s3.get_bucket_notification_configuration(Bucket=name)["QueueConfigurations"]
    assert len(found) == 100


def test_two_configurations_do_not_share_an_event(aws: Aws, s3: Any) -> None:
    name = bucket(s3)
    _, arn = queue(aws, "q")
    image = {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".png"}]}}
    text = {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".txt"}]}}
    wanted = [
        {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": image},
        {"QueueArn": arn, "Events": ["s3:ObjectCreated:Put"], "Filter": text},
    ]
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"QueueConfigurations": wanted})
    found = s3.get_bucket_notification_configuration(Bucket=name)["QueueConfigurations"]
    assert [each["Events"] for each in found] == [["s3:ObjectCreated:*"], ["s3:ObjectCreated:Put"]]
    assert all(each["Id"] for each in found)
    del wanted[1]["Filter"]
    assert "overlap" in refusal(s3, name, {"QueueConfigurations": wanted})["Message"]


def test_a_queue_that_has_gone_holds_up_no_other(aws: Aws, s3: Any, sqs: Any) -> None:
    name = bucket(s3)
    gone, gone_arn = queue(aws, "gone")
    url, arn = queue(aws, "stays")
    s3.put_bucket_notification_configuration(
        Bucket=name,
        NotificationConfiguration={
            "QueueConfigurations": [
                {"QueueArn": gone_arn, "Events": ["s3:ObjectCreated:*"]},
                {"QueueArn": arn, "Events": ["s3:ObjectRemoved:*"]},
            ]
        },
    )
    assert told(sqs, url)["Event"] == "s3:TestEvent"
    sqs.delete_queue(QueueUrl=gone)
    s3.put_object(Bucket=name, Key="k")
    s3.delete_object(Bucket=name, Key="k")
    assert event(sqs, url)["eventName"] == "ObjectRemoved:Delete"


def test_what_was_acknowledged_is_told_after_a_crash(tmp_path: Path) -> None:
    account = fresh_account()
    count = 200
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, account)
        s3, sqs = aws.client("s3"), aws.client("sqs")
        name = bucket(s3)
        url, arn = queue(aws, "q")
        tell_queue(s3, sqs, name, url, arn, "s3:ObjectCreated:*")
        for number in range(count):
            s3.put_object(Bucket=name, Key=str(number))
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, account)
        sqs = aws.client("sqs")
        url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
        heard: set[str] = set()
        while len(heard) < count:
            received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20).get("Messages")
            assert received, f"{count - len(heard)} events never came"
            for message in received:
                heard.add(json.loads(message["Body"])["Records"][0]["s3"]["object"]["key"])


def test_events_wait_while_their_queue_is_down_and_hold_up_no_other(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, fresh_account())
        s3, sqs, sns = aws.client("s3"), aws.client("sqs"), aws.client("sns")
        name = bucket(s3)
        url, arn = queue(aws, "q")
        topic = sns.create_topic(Name="t")["TopicArn"]
        s3.put_bucket_notification_configuration(
            Bucket=name,
            NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}],
                "TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectRemoved:*"]}],
            },
        )
        assert told(sqs, url)["Event"] == "s3:TestEvent"
        assert cloudlet("block", "stop", "sqs", "--port", server.port).returncode == 0
        names = [f"{number:02d}" for number in range(25)]
        for key in names:
            s3.put_object(Bucket=name, Key=key)
        # What is not told yet outlives S3 too.
        assert cloudlet("block", "restart", "s3", "--port", server.port).returncode == 0
        s3.delete_object(Bucket=name, Key=names.pop())
        assert cloudlet("block", "start", "sqs", "--port", server.port).returncode == 0
        heard: list[str] = []
        while len(heard) < 25:
            heard.append(event(sqs, url)["s3"]["object"]["key"])
        assert sorted(heard) == [*names, "24"]


@meaningless_in("strict", because="there, queues of tests have a policy")
def test_in_strict_mode_the_queue_has_to_let_the_bucket_in() -> None:
    with strict_server() as strict:
        s3, sqs, account = strict.client("s3"), strict.client("sqs"), strict.account
        name = bucket(s3)
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{account}:q"
        wanted = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
        error = refusal(s3, name, wanted)
        assert "Permissions on the destination queue do not allow" in error["ArgumentValue1"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {
                "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{name}"},
                "StringEquals": {"aws:SourceAccount": account},
            },
        }
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Statement": [statement]})})
        tell_queue(s3, sqs, name, url, arn, "s3:ObjectCreated:*")
        s3.put_object(Bucket=name, Key="k")
        assert event(sqs, url)["s3"]["object"]["key"] == "k"
        assert refusal(s3, bucket(s3), wanted)["Code"] == "InvalidArgument"


# -- destinations whose blocks are yet to come: what S3 calls, and what it makes of the answers


class Neighbours(Cloud):
    """A cloud in this process, in which functions and event buses are what a test says."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Config(data=folder, durable=False), TokenSealer(b"k" * 32), SystemClock())
        self.called: list[tuple[str, str, Any]] = []
        self.source = ""
        self.answers: list[Any] = []
        """What the next calls of PutEvents and Invoke answer, or raise; then all is well."""

    async def call(self, service: str, operation: str, params: Any, **who: Any) -> Any:
        if service not in ("lambda", "events"):
            return await super().call(service, operation, params, **who)
        self.source = who["source_arn"]
        if operation in ("DescribeEventBus", "Invoke") and params.get("InvocationType") != "Event":
            return {}
        self.called.append((service, operation, params))
        answer = self.answers.pop(0) if self.answers else {"Entries": [{} for _ in params.get("Entries", ())]}
        if isinstance(answer, AwsError):
            raise answer
        return answer

    async def s3(self, operation: str, **params: Any) -> Any:
        who = {"principal": root("111111111111"), "account": "111111111111", "region": "us-east-1"}
        return await self.call("s3", operation, {"Bucket": "told", **params}, **who)

    async def until(self, count: int) -> None:
        """Wait until so many calls were made."""
        async with asyncio.timeout(60):
            while len(self.called) < count:
                await asyncio.sleep(0.01)


@contextmanager
def neighbours(folder: Path) -> Iterator[tuple[asyncio.Runner, Neighbours]]:
    with asyncio.Runner() as runner:
        runner.get_loop()
        cloud = Neighbours(folder)
        runner.run(cloud.s3("CreateBucket"))
        yield runner, cloud
        runner.run(cloud.close())


def test_a_function_is_invoked_with_s3s_message_until_it_takes_it(tmp_path: Path) -> None:
    function = "arn:aws:lambda:us-east-1:111111111111:function:f"
    wanted = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:Put"]}

    async def act(cloud: Neighbours) -> None:
        await cloud.s3(
            "PutBucketNotificationConfiguration", NotificationConfiguration={"LambdaFunctionConfigurations": [wanted]}
        )
        cloud.answers = [AwsError("ServiceException", "down", status=500)]
        await cloud.s3("PutObject", Key="a", Body=b"x")
        await cloud.until(2)
        # No function, no other try.
        cloud.answers = [AwsError("ResourceNotFoundException", "gone", status=404)]
        await cloud.s3("PutObject", Key="b", Body=b"x")
        await cloud.until(3)
        await cloud.s3("PutObject", Key="c", Body=b"x")
        await cloud.until(4)

    with neighbours(tmp_path) as (runner, cloud):
        runner.run(act(cloud))
    heard = []
    for service, operation, params in cloud.called:
        assert (service, operation) == ("lambda", "Invoke")
        assert (params["FunctionName"], params["InvocationType"]) == (function, "Event")
        (record,) = json.loads(params["Payload"])["Records"]
        assert record["eventName"] == "ObjectCreated:Put"
        heard.append(record["s3"]["object"]["key"])
    assert heard == ["a", "a", "b", "c"]
    assert cloud.source == "arn:aws:s3:::told"


def test_an_event_bus_gets_all_events_as_eventbridge_has_them(tmp_path: Path) -> None:
    async def act(cloud: Neighbours) -> None:
        await cloud.s3("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})
        await cloud.s3("PutBucketNotificationConfiguration", NotificationConfiguration={"EventBridgeConfiguration": {}})
        cloud.answers = [{"Entries": [{"ErrorCode": "InternalFailure"}]}]
        made = await cloud.s3("PutObject", Key="a b", Body=b"12345")
        await cloud.until(2)
        await cloud.s3("PutObjectTagging", Key="a b", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
        await cloud.until(3)
        await cloud.s3("DeleteObject", Key="a b", VersionId=made["VersionId"])
        await cloud.until(4)

    with neighbours(tmp_path) as (runner, cloud):
        runner.run(act(cloud))
    entries = [params["Entries"][0] for _, _, params in cloud.called]
    assert [each["DetailType"] for each in entries] == [
        "Object Created",
        "Object Created",
        "Object Tags Added",
        "Object Deleted",
    ]
    assert entries[0] == entries[1]
    assert entries[0]["Source"] == "aws.s3"
    assert entries[0]["Resources"] == ["arn:aws:s3:::told"]
    created, deleted = (json.loads(entries[number]["Detail"]) for number in (0, 3))
    version = created["object"]["version-id"]
    assert created["bucket"] == {"name": "told"}
    assert created["reason"] == "PutObject"
    assert created["requester"] == "111111111111"
    assert created["source-ip-address"] == "127.0.0.1"
    assert created["object"] == {
        "key": "a b",
        "size": 5,
        "etag": "827ccb0eea8a706c4c34a16891f84e7b",
        "version-id": version,
        "sequencer": created["object"]["sequencer"],
    }
    assert (deleted["reason"], deleted["deletion-type"]) == ("DeleteObject", "Permanently Deleted")
    assert deleted["object"]["version-id"] == version
    assert "size" not in deleted["object"]
