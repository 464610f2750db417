"""Errors in every protocol, as botocore reads them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from wire_client import botocore_model, read_response

from cloudlet.wire import InvalidRequest, WireError, load
from cloudlet.wire.catalog import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_every_error_shape_is_read_back(service: str) -> None:
    model, theirs = load(service), botocore_model(service)
    operation = next(iter(model.operations))
    for protocol in model.protocols:
        if (service, protocol) == ("sqs", "query"):
            continue
        for name, shape in model.error_shapes.items():
            response = model.serialize_error(protocol, WireError(name, "It went <wrong> & so"), "rid")
            read = read_response(response, theirs.operation_model(operation), protocol)
            expected = shape.error.get("code", name) if _by_code(protocol, theirs) else name
            assert read["Error"]["Code"] == expected
            assert read["Error"]["Message"] == "It went <wrong> & so"
            assert read["ResponseMetadata"]["RequestId"] == "rid"
            assert response.status == shape.error.get("httpStatusCode", 500 if shape.raw.get("fault") else 400)


def _by_code(protocol: str, theirs: Any) -> bool:
    return protocol in ("query", "ec2", "rest-xml") or theirs.is_query_compatible


@pytest.mark.parametrize("service", SERVICES)
def test_an_error_that_the_model_does_not_know(service: str) -> None:
    model = load(service)
    operation = botocore_model(service).operation_model(next(iter(model.operations)))
    for protocol in model.protocols:
        error = WireError("Bad.Thing", "no", status=418, fault="Receiver")
        response = model.serialize_error(protocol, error, "rid")
        assert response.status == 418
        if (service, protocol) != ("sqs", "query"):
            read = read_response(response, operation, protocol)
            assert (read["Error"]["Code"], read["Error"]["Message"]) == ("Bad.Thing", "no")


def test_further_members_of_an_error_are_written() -> None:
    model = load("dynamodb")
    reasons = [{"Code": "ConditionalCheckFailed", "Item": {"a": {"B": b"\x00"}}}, {"Code": "None"}]
    error = WireError("TransactionCanceledException", "Cancelled", fields={"CancellationReasons": reasons})
    operation = botocore_model("dynamodb").operation_model("TransactWriteItems")
    read = read_response(model.serialize_error("json", error, "rid"), operation, "json")
    assert read["Modelled"] == {"Message": "Cancelled", "CancellationReasons": reasons}


def test_members_in_headers() -> None:
    model = load("lambda")
    error = WireError(
        "TooManyRequestsException", "Slow", fields={"retryAfterSeconds": "3", "Reason": "CallerRateLimitExceeded"}
    )
    response = model.serialize_error("rest-json", error, "rid")
    assert response.status == 429
    assert ("Retry-After", "3") in response.headers
    read = read_response(response, botocore_model("lambda").operation_model("Invoke"), "rest-json")
    assert read["Modelled"]["Reason"] == "CallerRateLimitExceeded"


def test_sqs_answers_the_code_of_old_to_those_who_know_it() -> None:
    model = load("sqs")
    for code in ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"):
        response = model.serialize_error("json", WireError(code, "The specified queue does not exist."), "rid")
        assert response.body == (
            b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}'
        )
        assert ("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender") in response.headers
        response = model.serialize_error("query", WireError(code, "no"), "rid")
        assert b"<Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code>" in response.body


def test_s3_has_a_bare_error_with_fields() -> None:
    model = load("s3")
    error = WireError("NoSuchKey", "The specified key does not exist.", status=404, fields={"Key": "a<b"})
    response = model.serialize_error("rest-xml", error, "rid", model.operations["GetObject"])
    assert response.body.startswith(
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>'
        b"<Message>The specified key does not exist.</Message><Key>a&lt;b</Key><RequestId>rid</RequestId><HostId>"
    )
    assert ("x-amz-request-id", "rid") in response.headers
    read = read_response(response, botocore_model("s3").operation_model("GetObject"), "rest-xml")
    assert read["Error"]["Key"] == "a<b"
    assert model.serialize_error("rest-xml", error, "rid", model.operations["HeadObject"]).body == b""


def test_a_violation_is_an_error_like_others() -> None:
    model = load("kms")
    error = InvalidRequest("ValidationException", "1 validation error detected: …")
    response = model.serialize_error("json", error, "rid")
    assert response.status == 400
    assert response.body == '{"__type":"ValidationException","message":"1 validation error detected: …"}'.encode()


@pytest.mark.parametrize(("service", "operation"), [("sns", "Publish"), ("s3", "GetObject"), ("ec2", "DescribeTags")])
def test_what_an_error_repeats_is_legible_whatever_it_is(service: str, operation: str) -> None:
    model = load(service)
    protocol = model.protocols[0]
    response = model.serialize_error(
        protocol, WireError("Wrong", "not \x00 \ud800 this", fields={"Key": "\x01"}), "rid"
    )
    read = read_response(response, botocore_model(service).operation_model(operation), protocol)
    assert read["Error"]["Message"] == "not \ufffd \ufffd this"


@pytest.mark.parametrize("count", [1, 20])
def test_what_an_answer_says_is_legible_in_the_query_protocol(count: int) -> None:
    response = (
        load("sns").operations["ListTopics"].serialize("query", {"Topics": [{"TopicArn": "a\x00b"}] * count}, "rid")
    )
    read = read_response(response, botocore_model("sns").operation_model("ListTopics"), "query")
    assert read["Topics"] == [{"TopicArn": "a\ufffdb"}] * count


def test_what_a_field_of_an_error_says_is_legible_in_the_query_protocol() -> None:
    error = WireError("ResourceNotFoundException", "none", fields={"ResourceType": "Rule", "ResourceId": "a\x00b"})
    response = load("cloudwatch").serialize_error("query", error, "rid")
    operation = botocore_model("cloudwatch").operation_model("GetAlarmMuteRule")
    assert read_response(response, operation, "query")["Modelled"]["ResourceId"] == "a\ufffdb"


def test_errors_that_no_model_has_are_those_of_the_front_end_of_all_services() -> None:
    model = load("dynamodb")
    bodies = [
        model.serialize_error("json", InvalidRequest(code, "…"), "rid").body
        for code in ("ValidationException", "SerializationException", "LimitExceededException")
    ]
    assert [msgspec.json.decode(body)["__type"] for body in bodies] == [
        "com.amazon.coral.validate#ValidationException",
        "com.amazon.coral.service#SerializationException",
        "com.amazonaws.dynamodb.v20120810#LimitExceededException",
    ]


def test_what_is_json_already_goes_into_an_answer_as_it_is() -> None:
    operation = load("dynamodb").operations["GetItem"]
    item = msgspec.Raw(b'{"p":{"S":"null"}}')
    response = operation.serialize("json", {"Item": item, "ConsumedCapacity": None}, "rid")
    assert response.body == b'{"Item":{"p":{"S":"null"}}}'
    batch = load("dynamodb").operations["BatchGetItem"]
    response = batch.serialize("json", {"Responses": {"t": [item]}, "UnprocessedKeys": None}, "rid")
    assert response.body == b'{"Responses":{"t":[{"p":{"S":"null"}}]}}'
