"""What botocore sends is understood as it was meant, and what a service answers is read as it was meant."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sizes import NIGHTLY
from wire_client import botocore_model, built_request, read_response
from wire_samples import Samples, as_sent, operations, services

from cloudlet.wire import HttpRequest, InvalidRequest, Operation, load
from cloudlet.wire.shapes import Ref

CASES = services()
ODD_RESULTS = {
    ("s3", "GetBucketLocation"): "its odd form has a test of its own",
    ("s3", "GetBucketNotification"): "the deprecated model has two members in elements of one name",
}
EXAMPLES = 20 if NIGHTLY else 1


def as_received(ref: Ref, value: Any, protocol: str) -> Any:
    """Return a value as it arrives: what has no form in the protocol is absent."""
    kind = ref.shape.kind
    if ref.shape.is_document:
        return value
    if kind == "structure":
        received = {}
        for name, item in value.items():
            member = ref.shape.members[name]
            if _is_lost(member, item, protocol):
                continue
            arrives = as_received(member, item, protocol)
            if not _is_lost(member, arrives, protocol):
                received[name] = arrives
        return received
    if kind == "list":
        return [as_received(ref.shape.element, item, protocol) for item in value]
    if kind == "map":
        return {key: as_received(ref.shape.value, item, protocol) for key, item in value.items()}
    return value


def _is_lost(ref: Ref, value: Any, protocol: str) -> bool:
    if value == [] and protocol == "rest-xml":
        return ref.flattened or ref.location is not None
    if value in ([], {}) and ref.location is not None:
        return True
    if value == {}:
        return protocol in ("query", "ec2") or (protocol == "rest-xml" and ref.flattened)
    return value == [] and protocol == "ec2"


@pytest.mark.parametrize(("service", "protocol"), CASES)
def test_requests_arrive_as_they_were_sent(service: str, protocol: str) -> None:
    for name in operations(service):
        if (service, name) != ("s3", "PutBucketNotification"):
            _send(service, name, protocol)


def _send(service: str, name: str, protocol: str) -> None:
    operation = load(service).operations[name]
    theirs = botocore_model(service).operation_model(name)
    for number in range(EXAMPLES):
        samples = Samples(f"{service}.{name}.{number}", empty=protocol not in ("query", "ec2", "rest-xml"))
        params = samples.structure(operation.input_shape) if operation.input_shape else {}
        if service == "s3":
            # botocore makes a timestamp of what the model and the service have as a string.
            params.pop("Expires", None)
        sent = as_sent(operation.input, params) if operation.input else {}
        request = built_request(theirs, protocol, sent)
        expected = as_received(operation.input, params, protocol) if operation.input else {}
        received = operation.parse(protocol, request, check=False)
        _settle_payload(operation, expected, received)
        if service == "s3" and "ContentLength" not in params:
            received.pop("ContentLength", None)
        assert received == expected, f"{name} of {service} by {protocol}"
        assert _violated(operation, protocol, request) <= {"pattern"}, f"{name} of {service} by {protocol}"


def _violated(operation: Operation, protocol: str, request: HttpRequest) -> set[str]:
    try:
        operation.parse(protocol, request)
    except InvalidRequest as error:
        return {violation.kind for violation in error.violations}
    return set()


def _settle_payload(operation: Any, expected: dict[str, Any], received: dict[str, Any]) -> None:
    payload = operation.input_shape.payload if operation.input_shape else None
    if payload is None:
        return
    ref = operation.input_shape.members[payload]
    if ref.shape.kind in ("blob", "string"):
        if not received.get(payload) and not expected.get(payload):
            # An absent raw body and an empty one look the same.
            received.pop(payload, None)
            expected.pop(payload, None)
    elif received.get(payload) == {} and payload not in expected:
        # botocore sends an empty document for an absent one.
        del received[payload]


@pytest.mark.parametrize(("service", "protocol"), CASES)
def test_results_are_read_as_they_were_meant(service: str, protocol: str) -> None:
    for name in operations(service):
        # Event streams have tests of their own.
        if (service, name) not in ODD_RESULTS and not load(service).operations[name].event_stream_output:
            _answer(service, name, protocol)


def _answer(service: str, name: str, protocol: str) -> None:
    operation = load(service).operations[name]
    theirs = botocore_model(service).operation_model(name)
    for number in range(EXAMPLES):
        samples = Samples(f"{service}.{name}.{number}.out", empty=protocol == "json")
        result = samples.structure(operation.output_shape) if operation.output_shape else {}
        if service == "s3":
            result.pop("Expires", None)
        for member, ref in (operation.output_shape.members if operation.output_shape else {}).items():
            if ref.location == "statusCode" and member in result:
                result[member] = 200
        response = operation.serialize(protocol, result, "request-id")
        read = read_response(response, theirs, protocol)
        metadata = read.pop("ResponseMetadata", {})
        if operation.output_shape or protocol != "smithy-rpc-v2-cbor":
            assert metadata["RequestId"] == "request-id", f"{name} of {service} by {protocol}"
        _settle_read(operation, result, read)
        form = "rest-xml" if protocol in ("query", "ec2") else protocol
        expected = as_received(operation.output, result, form) if operation.output else {}
        assert read == expected, f"{name} of {service} by {protocol}"


def _settle_read(operation: Any, result: dict[str, Any], read: dict[str, Any]) -> None:
    shape = operation.output_shape
    for name, ref in (shape.members if shape else {}).items():
        if ref.location == "statusCode" and name not in result:
            read.pop(name, None)
        if ref.location == "headers" and not result.get(name):
            read.pop(name, None)
        if shape.payload == name:
            value = read.get(name)
            if hasattr(value, "read"):
                read[name] = value.read()
            elif isinstance(value, str) and ref.shape.kind == "blob":
                read[name] = value.encode()
            if not read.get(name) and name not in result:
                read.pop(name, None)
