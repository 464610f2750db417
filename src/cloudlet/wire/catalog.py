"""The services that Cloudlet knows, as far as telling their requests apart needs: data, without loading a model.

The data are generated from botocore: `python -m cloudlet.wire.catalog` writes them anew.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

# fmt: off
SERVICES = (
    "acm", "apigateway", "apigatewaymanagementapi", "apigatewayv2", "application-autoscaling",
    "appmesh", "cloudcontrol", "cloudformation", "cloudtrail", "cloudwatch", "codeartifact", "codebuild",
    "codecommit", "codedeploy", "codepipeline", "dynamodb", "dynamodbstreams", "ec2", "ecr", "ecr-public", "ecs",
    "elasticache", "elbv2", "emr", "emr-serverless", "events", "iam", "kinesis", "kms", "lambda",
    "logs", "pipes", "rds", "rds-data", "resourcegroupstaggingapi", "route53", "route53resolver",
    "s3", "s3control", "scheduler", "secretsmanager", "servicediscovery", "sns", "sqs", "ssm",
    "stepfunctions", "sts", "xray",
)
# fmt: on
"""The folders of the supported services in botocore."""

_FILE = Path(__file__).with_name("catalog.json")


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A service's names and protocols. `first_segments` are the literal first segments of its REST paths."""

    service: str
    service_id: str
    signing_name: str
    endpoint_prefix: str
    api_version: str
    protocols: tuple[str, ...]
    target_prefix: str | None = None
    first_segments: tuple[str, ...] = ()


@cache
def catalog() -> dict[str, Entry]:
    """Return the supported services by their folder in botocore."""
    entries = msgspec.json.decode(_FILE.read_bytes(), type=list[Entry])
    return {entry.service: entry for entry in entries}


@cache
def candidates(signing_name: str) -> tuple[str, ...]:
    """Return the services whose requests are signed with that name."""
    return tuple(entry.service for entry in catalog().values() if entry.signing_name == signing_name)


def generate() -> list[Entry]:
    """Return the catalog as the installed botocore says it is."""
    from cloudlet.wire.model import load

    entries = []
    for service in SERVICES:
        model = load(service)
        segments: set[str] = set()
        if any(protocol.startswith("rest-") for protocol in model.protocols):
            for operation in model.operations.values():
                first = operation.uri.partition("?")[0].strip("/").partition("/")[0]
                if first and not first.startswith("{"):
                    segments.add(first)
        entries.append(
            Entry(
                service=service,
                service_id=model.service_id,
                signing_name=model.signing_name,
                endpoint_prefix=model.endpoint_prefix,
                api_version=model.api_version,
                protocols=model.protocols,
                target_prefix=model.target_prefix,
                first_segments=tuple(sorted(segments)),
            )
        )
    return entries


def regenerate() -> None:
    """Write the catalog's file anew."""
    _FILE.write_bytes(msgspec.json.format(msgspec.json.encode(generate()), indent=1) + b"\n")


if __name__ == "__main__":
    regenerate()
