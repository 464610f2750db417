"""AWS's own protocol cases, read from the server's side.

An input case: the serialised request parses to the parameters. An output case: the result is serialised to a
response that botocore's parser reads back as the result.
"""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.awsrequest import HeadersDict
from botocore.model import OperationModel
from botocore.model import ServiceModel as BotocoreModel
from botocore.parsers import ResponseParserFactory
from botocore.utils import parse_timestamp

from cloudlet.wire import HttpRequest, Operation, ServiceModel, WireError
from cloudlet.wire.shapes import Ref

CASES = Path(__file__).parent / "protocol-tests"

NOT_FOR_SERVERS = {
    "SDKAppliedContentEncoding": "gives no body: it is about a client's decision to compress",
    "SDKAppendsGzipAndIgnoresHttpProvidedEncoding": "gives no body: it is about a client's decision to compress",
    "SDKAppendedGzipAfterProvidedEncoding": "gives no body: it is about a client's decision to compress",
}

TOKEN = "00000000-0000-4000-8000-000000000000"
NOTHING_SENT = "an empty list or map has no form there, so it looks like an absent one"
ARRIVES_OTHERWISE: dict[str, tuple[Any, str]] = {
    "Ec2EmptyQueryLists": ({}, NOTHING_SENT),
    "QueryEmptyQueryMaps": ({}, NOTHING_SENT),
    "Ec2ProtocolIdempotencyTokenAutoFill": ({"token": TOKEN}, "the client has filled in the token"),
    "QueryProtocolIdempotencyTokenAutoFill": ({"token": TOKEN}, "the client has filled in the token"),
    "RestJsonQueryIdempotencyTokenAutoFill": ({"token": TOKEN}, "the client has filled in the token"),
    "QueryIdempotencyTokenAutoFill": ({"token": TOKEN}, "the client has filled in the token"),
    "RestJsonOmitsEmptyListQueryValues": ({}, NOTHING_SENT),
    "RestJsonHttpPrefixHeadersAreNotPresent": ({"foo": "Foo"}, NOTHING_SENT),
    "HttpPrefixHeadersAreNotPresent": ({"foo": "Foo"}, NOTHING_SENT),
    "RestJsonNullAndEmptyHeaders": ({"b": "", "c": []}, "an empty header was sent for the empty list"),
    "NullAndEmptyHeaders": ({"b": "", "c": []}, "an empty header was sent for the empty list"),
    "RestJsonHttpWithEmptyStructurePayload": ({"payloadConfig": {}}, "the client has sent an empty document"),
    "RestJsonHttpWithHeadersButNoPayload": (
        {"payloadConfig": {}, "testId": "t-12345"},
        "the client has sent an empty document",
    ),
}


def cases(direction: str) -> list[Any]:
    found = []
    for file in sorted((CASES / direction).glob("*.json")):
        for suite in json.loads(file.read_text()):
            for case in suite["cases"]:
                found.append(pytest.param(suite, case, id=f"{file.stem}-{case['id']}"))
    return found


def description_of(suite: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    given = case["given"]
    operation = {"name": "TestOperation", **given}
    if protocol_of(suite) == "query" and "output" in operation:
        operation["output"] = {"resultWrapper": f"{operation['name']}Result", **operation["output"]}
    return {
        "metadata": {"endpointPrefix": "test", "serviceId": "Test", **suite["metadata"]},
        "operations": {operation["name"]: operation},
        "shapes": suite["shapes"],
    }


def operation_of(suite: dict[str, Any], case: dict[str, Any]) -> tuple[Operation, OperationModel]:
    description = description_of(suite, case)
    ours = ServiceModel.from_description(description)
    (name,) = ours.operations
    return ours.operations[name], BotocoreModel(description).operation_model(name)


def protocol_of(suite: dict[str, Any]) -> str:
    return suite["metadata"]["protocol"]


def typed(ref: Ref, value: Any) -> Any:
    """Return a value of the case files as boto3's user would give it."""
    kind = ref.shape.kind
    if value is None or ref.shape.is_document:
        return value
    if kind == "structure":
        members = ref.shape.members
        return {name: typed(members[name], item) for name, item in value.items() if item is not None}
    if kind == "list":
        return [typed(ref.shape.element, item) for item in value]
    if kind == "map":
        return {key: typed(ref.shape.value, item) for key, item in value.items()}
    if ref.json_value and ref.location == "header":
        return json.loads(value)
    if kind == "blob":
        return value.encode()
    if kind in ("float", "double"):
        return float(value)
    return value


def without_named(ref: Ref, params: dict[str, Any]) -> dict[str, Any]:
    """Take out of maps of the query string what has a member of its own: the client sends it once, for that."""
    members = ref.shape.members
    query = {name: member for name, member in members.items() if member.location == "querystring"}
    named = {member.wire_name for member in query.values() if member.shape.kind != "map"}
    for name, member in query.items():
        if member.shape.kind == "map" and name in params:
            params[name] = {key: value for key, value in params[name].items() if key not in named}
            if not params[name]:
                del params[name]
    return params


def same(left: Any, right: Any) -> bool:
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(right, float) and not math.isfinite(right):
        # botocore leaves the words for these as they are in JSON.
        return math.isnan(float(left)) if math.isnan(right) else float(left) == right
    return left == right


def request_of(suite: dict[str, Any], case: dict[str, Any]) -> HttpRequest:
    serialized = case["serialized"]
    path, _, query = serialized["uri"].partition("?")
    headers = {name.lower(): value for name, value in serialized.get("headers", {}).items()}
    if "host" in serialized:
        headers["host"] = serialized["host"]
    body = serialized.get("body", "").encode()
    if protocol_of(suite) == "smithy-rpc-v2-cbor":
        body = base64.b64decode(body)
    return HttpRequest(serialized["method"], path, query, headers, body)


@pytest.mark.parametrize(("suite", "case"), cases("input"))
def test_a_request_is_understood(suite: dict[str, Any], case: dict[str, Any]) -> None:
    for prefix, reason in NOT_FOR_SERVERS.items():
        if case["id"].startswith(prefix):
            pytest.skip(reason)
    operation, _ = operation_of(suite, case)
    params = operation.parse(protocol_of(suite), request_of(suite, case))
    expected = without_named(operation.input, typed(operation.input, case["params"])) if operation.input else {}
    if case["id"] in ARRIVES_OTHERWISE:
        expected, _ = ARRIVES_OTHERWISE[case["id"]]
    assert same(params, expected), f"{params} is not {expected}"


def response_of(operation: Operation, suite: dict[str, Any], case: dict[str, Any]) -> Any:
    protocol = protocol_of(suite)
    if "error" not in case:
        result = typed(operation.output, case["result"]) if operation.output else {}
        return operation.serialize(protocol, result, "request-id")
    error = WireError(case["errorCode"], case.get("errorMessage", ""), fields=case["error"])
    return operation.service.serialize_error(protocol, error, "request-id", operation)


BOTOCORE_MISREADS = {
    "Ec2XmlLists": "it names flattened lists after their elements",
    "QueryXmlLists": "it names flattened lists after their elements",
    "XmlLists": "it names flattened lists after their elements",
    "BodyWithXmlName": "it names members after the root name of their shape",
    "RestJsonHttpPayloadWithUnsetUnion": "it cannot read an absent union",
    "RestXmlHttpPayloadWithUnsetUnion": "it cannot read an absent union",
    "HttpPrefixHeadersResponse": "it takes all headers for the map's, the request id too",
    "RestJsonInputAndOutputWithQuotedStringHeaders": "it does not know quoted elements in headers",
    "RestJsonInputAndOutputWithTimestampHeaders": "it splits dates at their commas",
    "InputAndOutputWithTimestampHeaders": "it splits dates at their commas",
}


def canonical(text: str) -> str:
    root = ElementTree.fromstring(text)
    for name in ("requestId", "ResponseMetadata"):
        for element in root.findall(f"{{*}}{name}"):
            root.remove(element)
    for element in root.iter():
        if "}" in element.tag:
            # The cases' models do not say which namespace the service has.
            element.tag = element.tag.rpartition("}")[2]
    return ElementTree.canonicalize(ElementTree.tostring(root, encoding="unicode"), strip_text=True)


def assert_same_response(ours: Any, given: dict[str, Any], protocol: str) -> None:
    """Compare with the response that the case itself gives."""
    body = ours.body.decode()
    if protocol == "rest-json" or not given.get("body"):
        assert json.loads(body or "{}") == json.loads(given.get("body") or "{}")
    else:
        assert canonical(body) == canonical(given["body"])
    headers = {name.lower(): value for name, value in ours.headers}
    for name, value in given.get("headers", {}).items():
        if name.lower() not in ("content-type", "content-length"):
            assert headers[name.lower()].replace(", ", ",") == value.replace(", ", ",")


@pytest.mark.parametrize(("suite", "case"), cases("output"))
def test_a_result_is_read_back(suite: dict[str, Any], case: dict[str, Any]) -> None:
    operation, theirs = operation_of(suite, case)
    protocol = protocol_of(suite)
    response = response_of(operation, suite, case)
    if case["id"] in BOTOCORE_MISREADS:
        assert_same_response(response, case["response"], protocol)
        return
    headers = HeadersDict()
    for name, value in response.headers:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    factory = ResponseParserFactory()
    factory.set_parser_defaults(timestamp_parser=lambda value: parse_timestamp(value).timestamp())
    given = {"body": response.body, "headers": headers, "status_code": response.status}
    parser = factory.create_parser(protocol)
    parsed = parser.parse(given, theirs.output_shape)
    metadata = parsed.pop("ResponseMetadata")
    if operation.output is not None or protocol != "smithy-rpc-v2-cbor":
        assert metadata["RequestId"] == "request-id"
    if "error" not in case:
        expected = typed(operation.output, case["result"]) if operation.output else {}
        for name, value in list(parsed.items()):
            # botocore reads an absent raw body as an empty one, and decodes it where it is not a stream.
            if isinstance(value, str) and operation.output.shape.members[name].shape.kind == "blob":
                parsed[name] = value.encode()
            if name == operation.output.shape.payload and not value and name not in expected:
                del parsed[name]
        assert same(parsed, expected), f"{parsed} is not {expected}"
        return
    assert parsed["Error"]["Code"] == case["errorCode"]
    assert (parsed["Error"].get("Message") or "") == case.get("errorMessage", "")
    shape = next((s for s in theirs.error_shapes if case["errorCode"] in (s.error_code, s.name)), None)
    if shape is not None:
        modelled = parser.parse(given, shape)
        modelled.pop("ResponseMetadata", None)
        assert same(modelled, case["error"])
