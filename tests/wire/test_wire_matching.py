"""The request of every operation is recognised as what it is, signed or not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from wire_client import botocore_model, built_request
from wire_samples import Samples, as_sent

from cloudlet.wire import HttpRequest, candidates, catalog, identify, load
from cloudlet.wire.catalog import SERVICES, generate

SAME_AS: dict[tuple[str, str], tuple[str, str]] = {
    ("s3", "GetBucketLifecycle"): ("GetBucketLifecycleConfiguration", "the deprecated form of the same request"),
    ("s3", "GetBucketNotification"): ("GetBucketNotificationConfiguration", "the deprecated form of the same request"),
    ("s3", "PutBucketLifecycle"): ("PutBucketLifecycleConfiguration", "the deprecated form of the same request"),
    ("s3", "PutBucketNotification"): ("PutBucketNotificationConfiguration", "the deprecated form of the same request"),
    ("s3", "ListDirectoryBuckets"): ("ListBuckets", "only the host of S3 Express tells them apart"),
}


def requests(service: str, chance: float) -> Iterator[tuple[str, str, HttpRequest]]:
    model = load(service)
    for name, operation in model.operations.items():
        if name not in botocore_model(service).operation_names:
            continue
        for protocol in model.protocols:
            if (service, protocol) == ("sqs", "query"):
                continue
            samples = Samples(f"{service}.{name}.{chance}", empty=protocol not in ("query", "ec2"))
            params = samples.structure(operation.input_shape, chance=chance) if operation.input_shape else {}
            if service == "s3":
                params.pop("Expires", None)
            if operation.uri.startswith("/tags/{"):
                # Four services have this path; the ARN in it says whose it is.
                label = operation.uri[len("/tags/{") : -1]
                member = next(key for key, ref in operation.input_shape.members.items() if ref.wire_name == label)
                params[member] = f"arn:aws:{model.signing_name}:us-east-1:123456789012:thing/a"
            sent = as_sent(operation.input, params) if operation.input else {}
            yield name, protocol, built_request(botocore_model(service).operation_model(name), protocol, sent)


@pytest.mark.parametrize("chance", [0.0, 0.5])
@pytest.mark.parametrize("service", SERVICES)
def test_a_request_is_matched(service: str, chance: float) -> None:
    wrong = []
    for name, protocol, request in requests(service, chance):
        expected, _ = SAME_AS.get((service, name), (name, ""))
        if load(service).match(request) != (protocol, expected):
            wrong.append((name, protocol, request.method, request.path, request.query, load(service).match(request)))
    assert not wrong


@pytest.mark.parametrize("chance", [0.0, 0.5])
@pytest.mark.parametrize("service", SERVICES)
def test_a_signed_request_is_identified(service: str, chance: float) -> None:
    wrong = []
    services = candidates(load(service).signing_name)
    assert service in services
    for name, protocol, request in requests(service, chance):
        expected, _ = SAME_AS.get((service, name), (name, ""))
        found = identify(request, services)
        if found[:1] != [(service, protocol, expected)]:
            wrong.append((name, protocol, request.method, request.path, found[:2]))
    assert not wrong


@pytest.mark.parametrize("chance", [0.0, 0.5])
@pytest.mark.parametrize("service", SERVICES)
def test_an_unsigned_request_is_identified(service: str, chance: float) -> None:
    wrong = []
    for name, protocol, request in requests(service, chance):
        expected, _ = SAME_AS.get((service, name), (name, ""))
        found = identify(request)
        if found[:1] != [(service, protocol, expected)]:
            wrong.append((name, protocol, request.method, request.path, found[:3]))
    assert not wrong


def test_the_catalog_is_in_line_with_botocore() -> None:
    assert list(catalog().values()) == generate()
