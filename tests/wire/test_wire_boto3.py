"""boto3 itself, with the wire layer in the place of its network."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from wire_client import body_of

from cloudlet.wire import HttpRequest, WireError, candidates, identify, load

Answer = Callable[[str, dict[str, Any]], dict[str, Any]]


class Wire:
    """Answers a client's requests, having checked that they are recognised signed and unsigned alike."""

    def __init__(self, service: str, answer: Answer) -> None:
        self.service = service
        self.answer = answer

    def __call__(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        url = urlsplit(request.url)
        headers = {
            name.lower(): value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
        }
        body = request.body or b""
        if hasattr(body, "read"):
            body = body.read()
        ours = HttpRequest(
            request.method, url.path, url.query, headers, body.encode() if isinstance(body, str) else body
        )
        ((service, protocol, operation),) = identify(ours, candidates(load(self.service).signing_name))[:1]
        assert service == self.service
        assert identify(ours)[0] == (service, protocol, operation)
        model = load(service)
        try:
            params = model.operations[operation].parse(protocol, ours)
            response = model.operations[operation].serialize(protocol, self.answer(operation, params), "rid")
        except WireError as error:
            response = model.serialize_error(protocol, error, "rid", model.operations[operation])
        return AWSResponse(request.url, response.status, dict(response.headers), _Raw(body_of(response)))


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Any:
        while chunk := self.read(1024):
            yield chunk


def client(service: str, answer: Answer) -> Any:
    made = boto3.client(
        service,
        region_name="eu-central-1",
        endpoint_url="http://localhost:4566",
        aws_access_key_id="123456789012",
        aws_secret_access_key="secret",
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            parameter_validation=False,
            retries={"total_max_attempts": 1},
        ),
    )
    made.meta.events.register("before-send.*.*", Wire(service, answer))
    return made


def echo(expected: dict[str, Any], result: dict[str, Any]) -> Answer:
    def answer(operation: str, params: dict[str, Any]) -> dict[str, Any]:
        assert params == expected
        return result

    return answer


def test_sqs() -> None:
    attributes = {"a": {"DataType": "Binary", "BinaryValue": b"\x00"}}
    expected = {"QueueUrl": "http://q", "MessageBody": "m", "MessageAttributes": attributes}
    sqs = client("sqs", echo(expected, {"MessageId": "1"}))
    assert sqs.send_message(**expected)["MessageId"] == "1"


def test_an_error_of_sqs() -> None:
    def missing(operation: str, params: dict[str, Any]) -> dict[str, Any]:
        raise WireError("QueueDoesNotExist", "The specified queue does not exist.")

    sqs = client("sqs", missing)
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as caught:
        sqs.get_queue_url(QueueName="x")
    assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert caught.value.response["ResponseMetadata"]["RequestId"] == "rid"


def test_a_violation() -> None:
    with pytest.raises(ClientError, match="Value null at 'tableName'"):
        client("dynamodb", echo({}, {})).describe_table()


def test_compressed_metrics_in_cbor() -> None:
    data = [{"MetricName": f"metric-{number}", "Value": number / 2, "Timestamp": 1.7e9} for number in range(500)]
    cloudwatch = client("cloudwatch", echo({"Namespace": "n", "MetricData": data}, {}))
    sent = [{**datum, "Timestamp": datetime.fromtimestamp(1.7e9, UTC)} for datum in data]
    cloudwatch.put_metric_data(Namespace="n", MetricData=sent)


def test_s3() -> None:
    def answer(operation: str, params: dict[str, Any]) -> dict[str, Any]:
        if operation == "PutObject":
            assert (params["Bucket"], params["Key"], params["Body"]) == ("b", "a b/ä+", b"data")
            assert params["Metadata"] == {"x": "y"}
            return {"ETag": '"e"'}
        if operation == "GetObject":
            return {"Body": b"data", "ContentLength": 4, "LastModified": 1.7e9, "Metadata": {"x": "y"}}
        if operation == "GetBucketLocation":
            return {"LocationConstraint": "eu-central-1"}
        if operation == "ListObjectsV2":
            assert params["Prefix"] == "a b"
            return {"Contents": [{"Key": "a%20b", "LastModified": 1.7e9}], "EncodingType": "url"}
        raise WireError("NoSuchKey", "The specified key does not exist.", status=404)

    s3 = client("s3", answer)
    assert s3.put_object(Bucket="b", Key="a b/ä+", Body=b"data", Metadata={"x": "y"})["ETag"] == '"e"'
    got = s3.get_object(Bucket="b", Key="k")
    assert got["Body"].read() == b"data"
    assert (got["LastModified"].timestamp(), got["Metadata"]) == (1.7e9, {"x": "y"})
    assert s3.get_bucket_location(Bucket="b")["LocationConstraint"] == "eu-central-1"
    assert s3.list_objects_v2(Bucket="b", Prefix="a b")["Contents"][0]["Key"] == "a b"
    with pytest.raises(ClientError) as caught:
        s3.head_object(Bucket="b", Key="none")
    assert caught.value.response["Error"]["Code"] == "404"


def test_lambda() -> None:
    expected = {"FunctionName": "arn:aws:lambda:eu-central-1:123456789012:function:f", "Payload": b'{"a":1}'}
    result = {"StatusCode": 200, "Payload": b"[]", "FunctionError": "Unhandled"}
    answer = client("lambda", echo(expected, result)).invoke(**expected)
    assert (answer["Payload"].read(), answer["StatusCode"], answer["FunctionError"]) == (b"[]", 200, "Unhandled")


def test_ec2() -> None:
    filters = [{"Name": "vpc-id", "Values": ["a", "b"]}]
    result = {"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [{"FromPort": 1}], "Tags": []}]}
    answer = client("ec2", echo({"Filters": filters}, result)).describe_security_groups(Filters=filters)
    assert answer["SecurityGroups"] == result["SecurityGroups"]


def test_sns() -> None:
    attributes = {"a": {"DataType": "String", "StringValue": "v"}}
    expected = {"TopicArn": "arn", "Message": "m & n", "MessageAttributes": attributes}
    assert client("sns", echo(expected, {"MessageId": "1"})).publish(**expected)["MessageId"] == "1"


def test_route53() -> None:
    changes = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": {"Name": "a.", "Type": "A", "TTL": 5}}]}
    result = {"ChangeInfo": {"Id": "/change/C", "Status": "PENDING", "SubmittedAt": datetime(2024, 1, 2, tzinfo=UTC)}}
    expected = {"HostedZoneId": "Z1", "ChangeBatch": changes}
    assert (
        client("route53", echo(expected, result)).change_resource_record_sets(**expected)["ChangeInfo"]
        == (result["ChangeInfo"])
    )


def test_an_event_stream() -> None:
    async def events() -> Any:
        yield {"sessionStart": {"sessionId": "s"}}
        yield {"sessionUpdate": {"sessionResults": [{"message": "m", "timestamp": 5}]}}

    logs = client("logs", echo({"logGroupIdentifiers": ["g"]}, {"responseStream": events()}))
    stream = logs.start_live_tail(logGroupIdentifiers=["g"])["responseStream"]
    assert list(stream) == [
        {"sessionStart": {"sessionId": "s"}},
        {"sessionUpdate": {"sessionResults": [{"message": "m", "timestamp": 5}]}},
    ]
