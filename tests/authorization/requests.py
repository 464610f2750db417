"""The smallest request of each operation that the model admits."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

ACCOUNT: Final = "{account}"
_POLICY: Final = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'
_UUID: Final = "12345678-1234-1234-1234-123456789012"
_ARNS: Final = {
    "role": f"arn:aws:iam::{ACCOUNT}:role/example",
    "policy": f"arn:aws:iam::{ACCOUNT}:policy/example",
    "function": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:example",
    "durableexecution": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:example:$LATEST/durable-execution/a/b",
    "topic": f"arn:aws:sns:us-east-1:{ACCOUNT}:example",
    "subscription": f"arn:aws:sns:us-east-1:{ACCOUNT}:example:{_UUID}",
    "queue": f"arn:aws:sqs:us-east-1:{ACCOUNT}:example",
    "certificate": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/{_UUID}",
    "key": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{_UUID}",
    "loggroup": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:example",
    "stream": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/example/stream/2026-01-01T00:00:00.000",
    "table": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/example",
    "backup": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/example/backup/01234567890123-12345678",
    "eventbus": f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/example",
    "oidcprovider": f"arn:aws:iam::{ACCOUNT}:oidc-provider/example.com",
    "openidconnectprovider": f"arn:aws:iam::{ACCOUNT}:oidc-provider/example.com",
    "samlprovider": f"arn:aws:iam::{ACCOUNT}:saml-provider/example",
}
"""ARNs by what names of members begin with, but for "Arn" at their end."""
_RESOURCES: Final = {
    "acm": _ARNS["certificate"],
    "apigateway": "arn:aws:apigateway:us-east-1::/restapis/example",
    "application-autoscaling": f"arn:aws:application-autoscaling:us-east-1:{ACCOUNT}:scalable-target/example",
    "apigatewayv2": "arn:aws:apigateway:us-east-1::/apis/example",
    "appmesh": f"arn:aws:appmesh:us-east-1:{ACCOUNT}:mesh/example",
    "cloudtrail": f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/example",
    "cloudwatch": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:example",
    "dynamodb": _ARNS["table"],
    "events": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/example",
    "iam": f"arn:aws:iam::{ACCOUNT}:user/example",
    "lambda": _ARNS["function"],
    "logs": _ARNS["loggroup"],
    "pipes": f"arn:aws:pipes:us-east-1:{ACCOUNT}:pipe/example",
    "scheduler": f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule-group/example",
    "secretsmanager": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:example-aaaaaa",
    "sns": _ARNS["topic"],
    "sqs": _ARNS["queue"],
    "ssm": f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/example",
    "xray": f"arn:aws:xray:us-east-1:{ACCOUNT}:group/example/AAAA",
}
_TEXTS: Final = (
    "example",
    "example1",
    "a",
    _UUID,
    "/example",
    "1",
    "123456",
    "us-east-1",
    "https://example.com",
    "example.com",
    "v1",
    "a" * 32,
    "a" * 64,
    "sha256:" + "a" * 64,
    "1" * 12,
    "arn:aws:s3:::example",
    "AKIAIOSFODNN7EXAMPLE",
    "rate(1 day)",
    "200",
    "lambda:GetLayerVersion",
    "*",
    f"arn:aws:events:us-east-1:{ACCOUNT}:connection/example/{_UUID}",
    f"arn:aws:lambda:us-east-1:{ACCOUNT}:code-signing-config:csc-0123456789abcdefg",
    f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:example:1",
    _POLICY,
    f"task/aws-service-role/example.amazonaws.com/Example/{_UUID}",
    *_ARNS.values(),
    *_RESOURCES.values(),
    "AWS::SQS::Queue",
)
"""Texts that most patterns admit one of."""
_DEEPEST: Final = 8


def make_request(operation: OperationModel, service: str, account: str) -> dict[str, Any]:
    """Return parameters of an operation: required ones, with values that satisfy the model's constraints."""
    if operation.input_shape is None:
        return {}
    made: dict[str, Any] = _make(operation.input_shape, "", service, 0)
    filled: dict[str, Any] = fill(made, account)
    return filled


def fill(value: Any, account: str) -> Any:
    """Return parameters with the account in their ARNs."""
    if isinstance(value, str):
        return value.replace(ACCOUNT, account)
    if isinstance(value, dict):
        return {name: fill(each, account) for name, each in value.items()}
    return [fill(each, account) for each in value] if isinstance(value, list) else value


def _make(shape: Shape, name: str, service: str, depth: int) -> Any:
    if isinstance(shape, StructureShape):
        members = list(shape.required_members)
        if shape.is_tagged_union and not members and depth < _DEEPEST:
            members = [next(iter(shape.members))]
        return {each: _make(shape.members[each], each, service, depth + 1) for each in members}
    if isinstance(shape, ListShape):
        return [_make(shape.member, name, service, depth + 1) for _ in range(max(1, shape.metadata.get("min", 1)))]
    if isinstance(shape, MapShape):
        return {_make(shape.key, name, service, depth + 1): _make(shape.value, name, service, depth + 1)}
    match shape.type_name:
        case "string":
            return _make_text(shape, name, service)
        case "integer" | "long":
            return max(1, int(shape.metadata.get("min", 1)))
        case "float" | "double":
            return float(max(1, shape.metadata.get("min", 1)))
        case "boolean":
            return True
        case "timestamp":
            return datetime(2026, 1, 1, tzinfo=UTC)
        case "blob":
            return b"a" * max(1, int(shape.metadata.get("min", 1)))
    raise AssertionError(f"no value for {shape.type_name}")


def _make_text(shape: Shape, name: str, service: str) -> str:
    if shape.metadata.get("enum"):
        return str(shape.metadata["enum"][0])
    lowered = name.lower()
    candidates = []
    if lowered.endswith(("arn", "arns")):
        kind = lowered.removesuffix("s").removesuffix("arn")
        candidates += [arn for start, arn in _ARNS.items() if kind == start]
        candidates += [arn for start, arn in _ARNS.items() if kind.endswith(start)]
        candidates.append(_RESOURCES.get(service, "arn:aws:s3:::example"))
    if "policy" in lowered and ("document" in lowered or lowered in ("policy", "resourcepolicy")):
        candidates.append(_POLICY)
    least, most = int(shape.metadata.get("min", 0)), int(shape.metadata.get("max", 1_000_000))
    for text in (*candidates, *_TEXTS):
        padded = text + "a" * (least - len(text.replace(ACCOUNT, "1" * 12)))
        whole = padded.replace(ACCOUNT, "1" * 12)
        if least <= len(whole) <= most and _is_matched(shape.metadata.get("pattern"), whole):
            return padded
    raise AssertionError(f"no text for {name}: {shape.metadata}")


@lru_cache(1000)
def _compile(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except re.error:
        # Java's classes of characters.
        return None


def _is_matched(pattern: str | None, text: str) -> bool:
    compiled = _compile(pattern) if pattern else None
    return compiled is None or compiled.fullmatch(text) is not None
