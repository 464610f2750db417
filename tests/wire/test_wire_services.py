"""What single services do beyond their protocols' rules, and what must hold for them to the letter."""

from __future__ import annotations

import asyncio
import gzip
import random
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from wire_client import botocore_model, read_response

from cloudlet.wire import HttpRequest, InvalidRequest, InvalidResult, decode_body, load
from cloudlet.wire.host_ids import host_id

FORM = {"content-type": "application/x-www-form-urlencoded"}


def form(text: str, path: str = "/") -> HttpRequest:
    return HttpRequest("POST", path, "", {**FORM, "host": "localhost:4566"}, text.encode())


class TestSqsInTheQueryProtocol:
    def test_a_message_with_attributes(self) -> None:
        request = form(
            "Action=SendMessage&Version=2012-11-05&QueueUrl=http%3A%2F%2Fq&MessageBody=hi+there&DelaySeconds=5"
            "&MessageAttribute.2.Name=n&MessageAttribute.2.Value.DataType=Binary"
            "&MessageAttribute.2.Value.BinaryValue=AAE%3D"
            "&MessageAttribute.1.Name=a&MessageAttribute.1.Value.StringValue=v"
            "&MessageAttribute.1.Value.DataType=String"
        )
        model = load("sqs")
        assert model.match(request) == ("query", "SendMessage")
        assert model.operations["SendMessage"].parse("query", request) == {
            "QueueUrl": "http://q",
            "MessageBody": "hi there",
            "DelaySeconds": 5,
            "MessageAttributes": {
                "a": {"StringValue": "v", "DataType": "String"},
                "n": {"BinaryValue": b"\x00\x01", "DataType": "Binary"},
            },
        }

    @pytest.mark.parametrize(
        ("operation", "text", "params"),
        [
            (
                "CreateQueue",
                "QueueName=n&Attribute.1.Name=DelaySeconds&Attribute.1.Value=9&Tag.1.Key=k&Tag.1.Value=v",
                {"QueueName": "n", "Attributes": {"DelaySeconds": "9"}, "tags": {"k": "v"}},
            ),
            ("GetQueueAttributes", "AttributeName.1=All", {"AttributeNames": ["All"]}),
            ("UntagQueue", "TagKey.1=a&TagKey.2=b", {"TagKeys": ["a", "b"]}),
            (
                "DeleteMessageBatch",
                "DeleteMessageBatchRequestEntry.1.Id=1&DeleteMessageBatchRequestEntry.1.ReceiptHandle=h",
                {"Entries": [{"Id": "1", "ReceiptHandle": "h"}]},
            ),
            (
                "AddPermission",
                "Label=l&AWSAccountId.1=123456789012&ActionName.1=SendMessage",
                {"Label": "l", "AWSAccountIds": ["123456789012"], "Actions": ["SendMessage"]},
            ),
        ],
    )
    def test_names_of_old(self, operation: str, text: str, params: dict[str, Any]) -> None:
        parsed = load("sqs").operations[operation].parse("query", form(f"{text}&QueueUrl=q"))
        assert {"QueueUrl": "q", **params} == {"QueueUrl": "q", **parsed}

    def test_the_address_is_the_queue(self) -> None:
        request = form("Action=DeleteQueue", "/123456789012/name")
        parsed = load("sqs").operations["DeleteQueue"].parse("query", request)
        assert parsed == {"QueueUrl": "http://localhost:4566/123456789012/name"}

    def test_received_messages(self) -> None:
        message = {"MessageId": "1", "Body": "a&b", "Attributes": {"SentTimestamp": "1"}}
        response = load("sqs").operations["ReceiveMessage"].serialize("query", {"Messages": [message]}, "rid")
        assert response.body == (
            b'<ReceiveMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><ReceiveMessageResult><Message>'
            b"<MessageId>1</MessageId><Body>a&amp;b</Body><Attribute><Name>SentTimestamp</Name><Value>1</Value>"
            b"</Attribute></Message></ReceiveMessageResult><ResponseMetadata><RequestId>rid</RequestId>"
            b"</ResponseMetadata></ReceiveMessageResponse>"
        )


class TestS3:
    def test_the_location_of_a_bucket(self) -> None:
        operation = load("s3").operations["GetBucketLocation"]
        response = operation.serialize("rest-xml", {"LocationConstraint": "eu-west-1"}, "rid")
        assert response.body == (
            b'<?xml version="1.0" encoding="UTF-8"?>\n'
            b'<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</LocationConstraint>'
        )

    @pytest.mark.parametrize(
        ("operation", "root"),
        [
            ("ListObjectsV2", "ListBucketResult"),
            ("ListBuckets", "ListAllMyBucketsResult"),
            ("CopyObject", "CopyObjectResult"),
            ("GetBucketAcl", "AccessControlPolicy"),
        ],
    )
    def test_roots(self, operation: str, root: str) -> None:
        result = {"CopyObjectResult": {}} if operation == "CopyObject" else {}
        body = load("s3").operations[operation].serialize("rest-xml", result, "rid").body
        assert f'<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'.encode() in body

    def test_an_object_comes_and_goes_unread(self) -> None:
        class Stream:
            pass

        stream: Any = Stream()
        headers = {"x-amz-meta-a": "b", "content-type": "text/x", "content-encoding": "gzip", "content-length": "3"}
        request = HttpRequest("PUT", "/bucket//a%20b/%C3%A4/", "x-id=PutObject", headers, stream)
        model = load("s3")
        assert model.match(request) == ("rest-xml", "PutObject")
        params = model.operations["PutObject"].parse("rest-xml", request)
        assert params.pop("Body") is stream
        assert params == {
            "Bucket": "bucket",
            "Key": "/a b/ä/",
            "Metadata": {"a": "b"},
            "ContentType": "text/x",
            "ContentEncoding": "gzip",
            "ContentLength": 3,
        }

        async def chunks() -> AsyncIterator[bytes]:
            yield b"abc"

        given = chunks()
        result = {"Body": given, "ContentLength": 3, "ETag": '"e"', "Metadata": {"a": "b"}}
        response = model.operations["GetObject"].serialize("rest-xml", result, "rid")
        assert response.body is given
        assert response.headers == [
            ("x-amz-request-id", "rid"),
            ("x-amz-id-2", host_id("rid")),
            ("Server", "AmazonS3"),
            ("Content-Length", "3"),
            ("ETag", '"e"'),
            ("x-amz-meta-a", "b"),
        ]

    @pytest.mark.parametrize(
        ("method", "path", "query", "headers", "operation"),
        [
            ("PUT", "/b/k", "", {}, "PutObject"),
            ("PUT", "/b/k", "", {"x-amz-copy-source": "/c/d"}, "CopyObject"),
            ("PUT", "/b/k", "partNumber=1&uploadId=u", {}, "UploadPart"),
            ("PUT", "/b/k", "partNumber=1&uploadId=u", {"x-amz-copy-source": "/c/d"}, "UploadPartCopy"),
            ("GET", "/b/k", "uploadId=u", {}, "ListParts"),
            ("GET", "/b/k", "acl", {}, "GetObjectAcl"),
            ("GET", "/b/k/", "versionId=v", {}, "GetObject"),
            ("GET", "/b/", "", {}, "ListObjects"),
            ("GET", "/b", "list-type=2&prefix=x", {}, "ListObjectsV2"),
            ("GET", "/b/", "uploads", {}, "ListMultipartUploads"),
            ("POST", "/b", "delete", {}, "DeleteObjects"),
            ("POST", "/b/k", "uploads=", {}, "CreateMultipartUpload"),
            ("POST", "/b/k", "uploadId=u", {}, "CompleteMultipartUpload"),
            ("GET", "/b", "analytics&id=i", {}, "GetBucketAnalyticsConfiguration"),
            ("GET", "/b", "analytics", {}, "ListBucketAnalyticsConfigurations"),
            ("DELETE", "/b", "versioning", {}, None),
            ("POST", "/b", "", {}, "PostObject"),
            ("OPTIONS", "/b/k", "", {}, "PreflightObject"),
            ("GET", "/b/k/", "x-cloudlet-website", {}, "GetWebsiteObject"),
            ("GET", "/b", "x-cloudlet-website", {}, "GetWebsiteIndex"),
            ("POST", "/b", "acl", {}, None),
        ],
    )
    def test_routes(self, method: str, path: str, query: str, headers: dict[str, str], operation: str | None) -> None:
        found = load("s3").match(HttpRequest(method, path, query, headers))
        assert found == (None if operation is None else ("rest-xml", operation))

    def test_a_presigned_url_has_headers_in_its_query_string(self) -> None:
        query = "X-Amz-Signature=s&x-amz-storage-class=GLACIER&x-amz-tagging=a%3Db"
        params = load("s3").operations["PutObject"].parse("rest-xml", HttpRequest("PUT", "/b/k", query))
        assert params == {"Bucket": "b", "Key": "k", "Body": b"", "StorageClass": "GLACIER", "Tagging": "a=b"}

    def test_what_is_invalid_has_codes_of_its_own(self) -> None:
        operation = load("s3").operations["DeleteObjects"]
        for body, code in ((b"<Delete><Object/></Delete>", "MalformedXML"), (b"", "MalformedXML")):
            with pytest.raises(InvalidRequest) as caught:
                operation.parse("rest-xml", HttpRequest("POST", "/b", "delete", {}, body))
            assert caught.value.code == code
        request = HttpRequest("GET", "/b", "list-type=2&encoding-type=x")
        with pytest.raises(InvalidRequest) as caught:
            load("s3").operations["ListObjectsV2"].parse("rest-xml", request)
        assert caught.value.code == "InvalidArgument"

    def test_document_types_are_refused(self) -> None:
        body = b'<!DOCTYPE a [<!ENTITY x "y">]><Delete><Object><Key>&x;</Key></Object></Delete>'
        with pytest.raises(InvalidRequest) as caught:
            load("s3").operations["DeleteObjects"].parse("rest-xml", HttpRequest("POST", "/b", "delete", {}, body))
        assert caught.value.code == "MalformedXML"


class TestRds:
    @pytest.mark.parametrize("name", ["member", "VpcSecurityGroupId"])
    def test_lists_have_two_names(self, name: str) -> None:
        request = form(f"DBInstanceIdentifier=i&DBInstanceClass=c&Engine=postgres&VpcSecurityGroupIds.{name}.1=sg")
        parsed = load("rds").operations["CreateDBInstance"].parse("query", request)
        assert parsed["VpcSecurityGroupIds"] == ["sg"]


class TestCallbacksOfApiGateway:
    def test_they_are_below_a_stage(self) -> None:
        model = load("apigatewaymanagementapi")
        request = HttpRequest("POST", "/prod/@connections/L0SM9cOFvHcCIhw%3D", "", {}, b"data")
        assert model.match(request) == ("rest-json", "PostToConnection")
        parsed = model.operations["PostToConnection"].parse("rest-json", request)
        assert parsed == {"ConnectionId": "L0SM9cOFvHcCIhw=", "Data": b"data"}


class TestCompressedBodies:
    def test_they_are_read(self) -> None:
        body = gzip.compress(b'{"QueueUrl":"q","MessageBody":"m"}')
        request = HttpRequest("POST", "/", "", {"content-encoding": "gzip"}, body)
        parsed = load("sqs").operations["SendMessage"].parse("json", request)
        assert parsed == {"QueueUrl": "q", "MessageBody": "m"}

    @pytest.mark.parametrize(
        ("coding", "body"),
        [
            ("gzip", gzip.compress(b"first, ", mtime=0) + gzip.compress(b"second", mtime=0)),
            ("deflate", zlib.compress(b"first, second")),
            ("aws-chunked, gzip", gzip.compress(b"first, second", mtime=0)),
            ("identity", b"first, second"),
        ],
    )
    def test_in_all_codings(self, coding: str, body: bytes) -> None:
        assert decode_body(HttpRequest("POST", "/", "", {"content-encoding": coding}, body)) == b"first, second"

    @pytest.mark.parametrize(
        "body", [b"", b"x", gzip.compress(b"data", mtime=0)[:-1], gzip.compress(b"data", mtime=0) + b"x"]
    )
    def test_what_is_not_compressed_is_refused(self, body: bytes) -> None:
        with pytest.raises(InvalidRequest) as caught:
            decode_body(HttpRequest("POST", "/", "", {"content-encoding": "gzip"}, body))
        assert caught.value.code == "SerializationException"

    def test_bombs_are_refused(self) -> None:
        request = HttpRequest("POST", "/", "", {"content-encoding": "gzip"}, gzip.compress(b"0" * 100_000))
        assert len(decode_body(request, 100_000)) == 100_000
        with pytest.raises(InvalidRequest) as caught:
            decode_body(request, 99_999)
        assert caught.value.status == 413

    def test_no_more_is_looked_at_than_the_next_piece(self, monkeypatch: pytest.MonkeyPatch) -> None:
        given: list[int] = []
        begin = zlib.decompressobj

        class Counted:
            def __init__(self, wbits: int) -> None:
                self._real = begin(wbits)

            def decompress(self, data: bytes, most: int) -> bytes:
                given.append(len(data))
                return self._real.decompress(data, most)

            def __getattr__(self, name: str) -> object:
                return getattr(self._real, name)

        monkeypatch.setattr("cloudlet.wire.body.zlib.decompressobj", Counted)
        parts = gzip.compress(b"", mtime=0) * 100 + gzip.compress(random.Random(1).randbytes(1 << 20), mtime=0)
        assert len(decode_body(HttpRequest("POST", "/", "", {"content-encoding": "gzip"}, parts))) == 1 << 20
        assert max(given) <= 64 << 10

    @pytest.mark.parametrize("body", [b"", b"no gzip", gzip.compress(b"{}", mtime=0)[:-4]])
    def test_what_is_broken_is_refused(self, body: bytes) -> None:
        with pytest.raises(InvalidRequest):
            decode_body(HttpRequest("POST", "/", "", {"content-encoding": "gzip"}, body))


class TestResults:
    @pytest.mark.parametrize(
        ("service", "operation", "protocol"),
        [
            ("sqs", "SendMessage", "json"),
            ("sns", "Publish", "query"),
            ("s3", "GetObject", "rest-xml"),
            ("lambda", "GetFunction", "rest-json"),
            ("ec2", "DescribeInstances", "ec2"),
            ("cloudwatch", "ListMetrics", "smithy-rpc-v2-cbor"),
        ],
    )
    def test_unknown_members_are_a_bug(self, service: str, operation: str, protocol: str) -> None:
        with pytest.raises(InvalidResult, match="Nonsense"):
            load(service).operations[operation].serialize(protocol, {"Nonsense": 1}, "rid")

    def test_none_is_absent(self) -> None:
        operation = load("sqs").operations["ReceiveMessage"]
        response = operation.serialize("json", {"Messages": [{"Body": "null", "MessageId": None}]}, "rid")
        assert response.body == b'{"Messages":[{"Body":"null"}]}'

    def test_wrong_types_are_a_bug(self) -> None:
        operation = load("rds").operations["DescribeDBInstances"]
        with pytest.raises(InvalidResult):
            operation.serialize("query", {"DBInstances": [{"AllocatedStorage": "five"}]}, "rid")


class TestEventStreams:
    def read(self, service: str, name: str, protocol: str, result: dict[str, Any]) -> dict[str, Any]:
        response = load(service).operations[name].serialize(protocol, result, "rid")
        assert ("Content-Type", "application/vnd.amazon.eventstream") in response.headers
        return read_response(response, botocore_model(service).operation_model(name), protocol)

    @staticmethod
    async def events(*given: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        for event in given:
            await asyncio.sleep(0)
            yield event

    def test_an_rpc_service_begins_with_its_other_members(self) -> None:
        record = {"SequenceNumber": "1", "Data": b"\x00data", "PartitionKey": "p", "ApproximateArrivalTimestamp": 5.5}
        event = {"Records": [record], "ContinuationSequenceNumber": "2", "MillisBehindLatest": 0}
        stream = self.events({"SubscribeToShardEvent": event})
        read = self.read("kinesis", "SubscribeToShard", "json", {"EventStream": stream})
        assert list(read["EventStream"]) == [{"SubscribeToShardEvent": event}]

    def test_payloads_of_all_kinds(self) -> None:
        given = [
            {"Records": {"Payload": b"a,b\n"}},
            {"Stats": {"Details": {"BytesScanned": 1, "BytesProcessed": 2, "BytesReturned": 3}}},
            {"Cont": {}},
            {"End": {}},
        ]
        read = self.read("s3", "SelectObjectContent", "rest-xml", {"Payload": self.events(*given)})
        assert list(read["Payload"]) == given

    def test_a_function_that_streams(self) -> None:
        given = [{"PayloadChunk": {"Payload": b"one"}}, {"InvokeComplete": {"LogResult": "log"}}]
        result = {"EventStream": self.events(*given), "StatusCode": 200, "ExecutedVersion": "$LATEST"}
        read = self.read("lambda", "InvokeWithResponseStream", "rest-json", result)
        assert read["StatusCode"] == 200
        assert list(read["EventStream"]) == given

    def test_an_error_ends_the_stream(self) -> None:
        from botocore.exceptions import EventStreamError

        from cloudlet.wire import WireError

        async def failing() -> AsyncIterator[dict[str, Any]]:
            yield {"SubscribeToShardEvent": {"Records": [], "ContinuationSequenceNumber": "1", "MillisBehindLatest": 0}}
            raise WireError("ResourceNotFoundException", "Gone")

        read = self.read("kinesis", "SubscribeToShard", "json", {"EventStream": failing()})
        stream = iter(read["EventStream"])
        next(stream)
        with pytest.raises(EventStreamError, match=r"ResourceNotFoundException.*Gone"):
            next(stream)
