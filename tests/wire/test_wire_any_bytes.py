"""Whatever arrives is understood or refused: nothing else is ever raised."""

from __future__ import annotations

import contextlib
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sizes import NIGHTLY
from wire_client import botocore_model, built_request
from wire_samples import Samples, as_sent

from cloudlet.wire import HttpRequest, WireError, identify, load, xml

TARGETS = [
    ("dynamodb", "PutItem", "json"),
    ("sqs", "SendMessageBatch", "json"),
    ("sqs", "SendMessageBatch", "query"),
    ("cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor"),
    ("cloudwatch", "PutMetricData", "query"),
    ("ec2", "RunInstances", "ec2"),
    ("s3", "PutBucketLifecycleConfiguration", "rest-xml"),
    ("s3", "PutObject", "rest-xml"),
    ("route53", "ChangeResourceRecordSets", "rest-xml"),
    ("rds-data", "ExecuteStatement", "rest-json"),
    ("lambda", "CreateFunction", "rest-json"),
    ("appmesh", "CreateRoute", "rest-json"),
]
FUZZ = settings(max_examples=2_000 if NIGHTLY else 60, derandomize=True)


def parse(service: str, operation: str, protocol: str, request: HttpRequest) -> None:
    with contextlib.suppress(WireError):
        load(service).operations[operation].parse(protocol, request)


@pytest.mark.parametrize(("service", "operation", "protocol"), TARGETS)
@FUZZ
@given(
    body=st.binary(max_size=200),
    path=st.text(max_size=30),
    query=st.text(max_size=40),
    headers=st.dictionaries(st.sampled_from(["content-encoding", "expires", "content-length", "host"]), st.text()),
)
def test_any_request(
    service: str, operation: str, protocol: str, body: bytes, path: str, query: str, headers: dict[str, str]
) -> None:
    parse(service, operation, protocol, HttpRequest("POST", f"/{path}", query, headers, body))


@pytest.mark.parametrize(("service", "operation", "protocol"), TARGETS)
def test_damaged_requests(service: str, operation: str, protocol: str) -> None:
    if (service, protocol) == ("sqs", "query"):
        pytest.skip("botocore cannot build one")
    model = load(service).operations[operation]
    theirs = botocore_model(service).operation_model(operation)
    chance = random.Random(operation)
    for number in range(2_000 if NIGHTLY else 150):
        params = Samples(f"{number}").structure(model.input_shape) if model.input_shape else {}
        params.pop("Expires", None)
        request = built_request(theirs, protocol, as_sent(model.input, params) if model.input else {})
        body = bytearray(request.body)
        for _ in range(chance.randint(1, 3)):
            if body:
                position = chance.randrange(len(body))
                damage = chance.choice((bytes([chance.randrange(256)]), b"", b'"', b"<", b"\xff", b"null", b"9" * 400))
                body[position : position + chance.randint(0, 3)] = damage
        request.body = bytes(body)
        parse(service, operation, protocol, request)


@settings(max_examples=2_000 if NIGHTLY else 200, derandomize=True)
@given(
    st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"]),
    st.text(),
    st.text(),
    st.dictionaries(st.sampled_from(["x-amz-target", "smithy-protocol", "content-type", "host"]), st.text()),
    st.binary(),
)
def test_any_request_can_be_searched_for(
    method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    for service, protocol, operation in identify(HttpRequest(method, path, query, headers, body)):
        assert operation in load(service).operations
        assert protocol in load(service).protocols


DEEP = 100_000
AV = ("dynamodb", "PutItem", "json")


@pytest.mark.parametrize(
    ("service", "operation", "protocol", "body"),
    [
        (*AV, b"[" * DEEP),
        (*AV, b'{"Item":{"a":' + b'{"L":[' * 500 + b"]}" * 500 + b"}}"),
        (*AV, b'{"Item":{"a":' + b'{"M":{"a":' * DEEP),
        (*AV, b'{"Unknown":' + b"[" * 900 + b"]" * 900 + b"}"),
        ("cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor", b"\x81" * DEEP),
        ("cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor", b"\x9f" * DEEP),
        ("cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor", b"\x9b\x7f" + b"\xff" * 7),
        ("cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor", b"\x5b\x7f" + b"\xff" * 7),
        ("cloudwatch", "PutMetricData", "query", b"&".join(b"MetricData" + b".a" * 500 for _ in range(3))),
        ("cloudwatch", "PutMetricData", "query", b"MetricData.member." + b"9" * 5000 + b".Value=1"),
        ("cloudwatch", "PutMetricData", "query", b"MetricData.member.1.Value=" + b"9" * 5000),
        ("s3", "DeleteObjects", "rest-xml", b"<a>" * DEEP),
        ("s3", "DeleteObjects", "rest-xml", b"<Delete><Object><Size>" + b"9" * 5000 + b"</Size></Object></Delete>"),
        ("lambda", "CreateFunction", "rest-json", b'{"MemorySize":' + b"9" * 5000 + b"}"),
    ],
)
def test_what_is_deep_or_huge(service: str, operation: str, protocol: str, body: bytes) -> None:
    parse(service, operation, protocol, HttpRequest("POST", "/bucket", "", {}, body))


def test_a_document_has_so_many_elements() -> None:
    parsed = xml.parse_document(b"<a>" + b"<b/>" * (xml.MAX_ELEMENTS - 1) + b"</a>")
    assert len(parsed.children) == xml.MAX_ELEMENTS - 1
    with pytest.raises(xml.MalformedXml, match="too many elements"):
        xml.parse_document(b"<a>" + b"<b/>" * xml.MAX_ELEMENTS + b"</a>")


def test_values_nest_as_deeply_as_dynamodb_allows() -> None:
    value: dict[str, object] = {"S": "x"}
    for _ in range(31):
        value = {"M": {"a": value}}
    body = json.dumps({"TableName": "table", "Item": {"a": value}}).encode()
    parsed = load("dynamodb").operations["PutItem"].parse("json", HttpRequest("POST", "/", "", {}, body))
    assert parsed["Item"]["a"] == value
