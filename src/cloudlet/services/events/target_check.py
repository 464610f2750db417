"""What can be a target of a rule. API reference, "PutTargets" and "Target"."""

from __future__ import annotations

import re
from collections.abc import Callable

from cloudlet.core import Arn, AwsError, Context, Transaction
from cloudlet.services.events import access, bus, errors, gateway, transforming
from cloudlet.services.events.http_request import FIXED_HEADERS
from cloudlet.services.events.rule_record import Rule, Target
from cloudlet.services.events.target import is_destination

_BLOCKS = {each: each for each in ("sqs", "sns", "events", "lambda", "logs")} | {gateway.SERVICE: "apigateway"}
"""The services in ARNs of targets → the blocks that have these."""
_ON_AWS = frozenset(
    (
        *("appsync", "batch", "codebuild", "codepipeline", "ecs", "firehose", "glue", "inspector", "kinesis"),
        *("redshift", "redshift-serverless", "sagemaker", "ssm", "ssm-incidents", "states"),
    )
)
"""Those that AWS has besides. User guide, "Event bus targets in Amazon EventBridge"."""
_ACCOUNT = re.compile(r"\d{12}")
_FORMS = {
    "lambda": re.compile(r"function:[\w-]{1,64}(:([\w-]{1,128}|\$LATEST))?"),
    "logs": re.compile(r"log-group:[\w./#-]{1,512}(:\*)?"),
    "sns": re.compile(r"[\w-]{1,256}(\.fifo)?"),
    "sqs": re.compile(r"[\w-]{1,80}(\.fifo)?"),
}
"""What the resources in ARNs of targets are, by service."""
_HTTP = ("events", gateway.SERVICE)
_MEMBERS = frozenset(
    (
        "Id",
        "Arn",
        "RoleArn",
        "Input",
        "InputPath",
        "InputTransformer",
        "HttpParameters",
        "SqsParameters",
        "DeadLetterConfig",
        "RetryPolicy",
    )
)


async def check(ctx: Context, tx: Transaction, rule: Rule, target: Target) -> None:
    """Raise AwsError unless something can be a target of a rule."""
    id = target["Id"]
    try:
        arn = Arn.parse(target["Arn"])
    except ValueError:
        raise _invalid(target, "Provided Arn is not in correct format.") from None
    other = next(iter(target.keys() - _MEMBERS), None)
    if other is not None:
        raise errors.not_built(f"the parameter {other} of targets")
    if arn.service not in _BLOCKS and arn.service not in _ON_AWS:
        raise _invalid(target, "Provided Arn is not in correct format.")
    if arn.service not in _BLOCKS or not ctx.block.cloud.has(_BLOCKS[arn.service]):
        raise errors.not_built(f"targets of {arn.service}")
    form = _FORMS.get(arn.service)
    if form is not None and not (form.fullmatch(arn.resource) and _ACCOUNT.fullmatch(arn.account)):
        raise _invalid(target, "Provided Arn is not in correct format.")
    for name, services in (("SqsParameters", ("sqs",)), ("HttpParameters", _HTTP)):
        if target.get(name) and arn.service not in services:
            raise errors.validation(f"{name} is not valid for target {id}.")
    if is_destination(arn):
        _check_owner(ctx, rule, target, arn, "An API destination")
        _check_destination(target)
    elif arn.service == "events":
        await _check_bus(ctx, tx, rule, target)
    elif arn.region != rule.region:
        raise _invalid(target, "Provided Arn is not in correct region.")
    elif arn.service == "logs":
        _check_owner(ctx, rule, target, arn, "A log group")
    elif arn.service == gateway.SERVICE:
        gateway.check(arn)
        _check_http(target, gateway.is_forbidden)
    access.check_role(ctx, target.get("RoleArn"))
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    if arn.service == "sqs" and arn.resource.endswith(".fifo") and not group:
        raise errors.validation(f"Parameter(s) SqsParameters must be specified for target: {id}.")
    letters = (target.get("DeadLetterConfig") or {}).get("Arn")
    if letters is not None:
        _check_dead_letters(letters)
    transforming.check(target)


def _invalid(target: Target, reason: str) -> AwsError:
    return errors.validation(f"Parameter {target['Arn']} is not valid. Reason: {reason}")


def _check_owner(ctx: Context, rule: Rule, target: Target, arn: Arn, what: str) -> None:
    """Raise AwsError for what is no target of other accounts' rules, whoever puts it there.

    User guide, "Sending events to an AWS service in another account": there are queues, topics, functions and APIs.
    """
    if (arn.account, arn.region) != (rule.account, rule.region) or arn.account != ctx.account:
        raise _invalid(target, f"{what} must be in the account and the region of the rule.")


def _check_destination(target: Target) -> None:
    if not target.get("RoleArn"):
        raise errors.validation(f"RoleArn is required for target {target['Arn']}.")
    _check_http(target, lambda name: name.lower() in FIXED_HEADERS)


def _check_http(target: Target, is_forbidden: Callable[[str], bool]) -> None:
    given = target.get("HttpParameters") or {}
    headers = given.get("HeaderParameters") or {}
    for name in headers:
        if is_forbidden(name):
            raise errors.validation(f"The header {name} cannot be set for target {target['Id']}.")
    query = given.get("QueryStringParameters") or {}
    transforming.check_paths((*(given.get("PathParameterValues") or ()), *headers.values(), *query.values()))


async def _check_bus(ctx: Context, tx: Transaction, rule: Rule, target: Target) -> None:
    place = bus.place_of_arn(target["Arn"])
    if target.get("HttpParameters"):
        raise errors.validation(f"HttpParameters is not valid for target {target['Id']}.")
    if transforming.MEMBERS & target.keys():
        raise errors.validation(f"Modifying the input for target {target['Id']} is not supported.")
    if place == rule.place:
        raise _invalid(target, "a bus cannot be its own target.")
    found = await bus.find(tx, place)
    if found is not None:
        await access.authorize_target(ctx, tx, found, rule, target.get("RoleArn") or rule.role)


def _check_dead_letters(text: str) -> None:
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise errors.validation(f"Dead-letter queue {text} is not valid.") from None
    if arn.service != "sqs" or not _FORMS["sqs"].fullmatch(arn.resource):
        raise errors.validation(f"Dead-letter queue {text} is not valid. Only standard SQS queues are supported.")
    if arn.resource.endswith(".fifo"):
        raise errors.validation("SQS FIFO is not supported by Dead Letter Queues.")
