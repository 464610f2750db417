"""The resources that a data event is about: their types and ARNs, from its request.

User guide, "Logging data events": the table of resource types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from cloudlet.core.aws.arn import Arn, partition_of
from cloudlet.core.aws.urls import split_url

Resource = tuple[str, str]
"""A type and an ARN."""

_FUNCTION = re.compile(
    r"(arn:[^:]+:lambda:(?P<region>[^:]+):)?((?P<account>\d{12}):)?(function:)?(?P<name>[\w-]+)(:[\w$-]+)?"
)
"""How requests name functions. Lambda's API reference, "Invoke"."""


def of(record: Mapping[str, Any]) -> list[Resource]:
    """Return the resources of a data event, each once; none where its request does not name them."""
    params = record.get("requestParameters") or {}
    account, region = record["recipientAccountId"], record["awsRegion"]
    named: Iterator[Resource]
    match record["eventSource"]:
        case "s3.amazonaws.com":
            named = _of_s3(params, region)
        case "dynamodb.amazonaws.com":
            named = _of_dynamodb(params, region, account)
        case "lambda.amazonaws.com":
            named = _of_lambda(params, region, account)
        case "sqs.amazonaws.com":
            named = _of_sqs(params, region, account)
        case "sns.amazonaws.com":
            named = _of_sns(params)
        case "monitoring.amazonaws.com":
            named = iter([("AWS::CloudWatch::Metric", _arn("cloudwatch", region, account, "", "metric/"))])
        case _:
            named = iter(())
    return list(dict.fromkeys(named))


def _arn(service: str, region: str, account: str, name: str, kind: str = "") -> str:
    if name.startswith("arn:"):
        return name
    return str(Arn(partition_of(region), service, region, account, f"{kind}{name}"))


def _of_s3(params: Mapping[str, Any], region: str) -> Iterator[Resource]:
    bucket = params.get("bucketName")
    if not isinstance(bucket, str):
        return
    arn = str(Arn(partition_of(region), "s3", "", "", bucket))
    yield "AWS::S3::Object", f"{arn}/{params.get('key') or params.get('prefix') or ''}"
    yield "AWS::S3::Bucket", arn


def _of_dynamodb(params: Mapping[str, Any], region: str, account: str) -> Iterator[Resource]:
    for name in _tables(params):
        yield "AWS::DynamoDB::Table", _arn("dynamodb", region, account, name, "table/")
    stream = params.get("streamArn") or str(params.get("shardIterator") or "").partition("|")[0]
    if stream.startswith("arn:"):
        yield "AWS::DynamoDB::Stream", stream


def _tables(params: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the tables that a request of DynamoDB is about."""
    if isinstance(params.get("tableName"), str):
        yield params["tableName"]
    if isinstance(params.get("requestItems"), dict):
        yield from params["requestItems"]
    for action in params.get("transactItems") or ():
        for part in (action or {}).values():
            if isinstance(part, dict) and isinstance(part.get("tableName"), str):
                yield part["tableName"]


def _of_lambda(params: Mapping[str, Any], region: str, account: str) -> Iterator[Resource]:
    """A function is named by its name, its ARN or a part of that, each perhaps with a version or an alias."""
    named = _FUNCTION.fullmatch(str(params.get("functionName") or ""))
    if named is not None:
        owner, place = named["account"] or account, named["region"] or region
        yield "AWS::Lambda::Function", _arn("lambda", place, owner, named["name"], "function:")


def _of_sqs(params: Mapping[str, Any], region: str, account: str) -> Iterator[Resource]:
    path = [part for part in split_url(str(params.get("queueUrl") or "")).path.split("/") if part]
    if path:
        owner = path[-2] if len(path) > 1 else account
        yield "AWS::SQS::Queue", _arn("sqs", region, owner, unquote(path[-1]))


def _of_sns(params: Mapping[str, Any]) -> Iterator[Resource]:
    arn = params.get("topicArn") or params.get("targetArn")
    if isinstance(arn, str):
        yield ("AWS::SNS::PlatformEndpoint" if ":endpoint/" in arn else "AWS::SNS::Topic"), arn
