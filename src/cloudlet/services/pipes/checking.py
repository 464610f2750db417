"""What can be a pipe: its source, its enrichment, its target and their parameters.

User guide, "Amazon EventBridge Pipes sources", "… targets", "… event enrichment", "… batching and concurrency".
"""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import Arn, Context
from cloudlet.core.aws import event_pattern
from cloudlet.core.aws.event_ruler import PatternError
from cloudlet.services.pipes import errors, log_group, transforming
from cloudlet.services.pipes.pipe import Parameters, Pipe

SQS, STREAM = "SqsQueueParameters", "DynamoDBStreamParameters"
DESTINATION = "api-destination/"
_BUS = "event-bus/"
METHODS = "execute-api"
"""The service in ARNs of methods of REST APIs."""
_LARGEST_BATCHES = {"sqs": 10, "sns": 10, "events": 10, "logs": 10_000, "lambda": 10_000, METHODS: 1}
"""How many events a target takes at once; API destinations take one."""
_DEFAULT_BATCHES = {SQS: 10, STREAM: 100}
_OF_TARGETS = {
    "sqs": "SqsQueueParameters",
    "events": "EventBridgeEventBusParameters",
    "logs": "CloudWatchLogsParameters",
    "lambda": "LambdaFunctionParameters",
}
"""The parameters that a target of a service may have; what is reached over HTTP has HttpParameters."""
_SMALL_BATCH = 10


def checked(ctx: Context, pipe: Pipe) -> Pipe:
    """Return a pipe with the parameters that it has by default. Raises AwsError where it makes no sense."""
    kind = _source_kind(ctx, pipe.source)
    others = pipe.source_parameters.keys() - {kind, "FilterCriteria"}
    if others:
        raise errors.validation(f"{min(others)} is not valid for the source {pipe.source}.")
    for pattern in pipe.filters:
        try:
            event_pattern.compile(pattern)
        except PatternError as error:
            raise errors.validation(f"Invalid filter pattern provided. Reason: {error}") from None
    _check_enrichment(ctx, pipe)
    _check_target(ctx, pipe)
    _check_log(ctx, pipe)
    return replace(pipe, source_parameters={**pipe.source_parameters, kind: _source_parameters(pipe, kind)})


def _source_kind(ctx: Context, source: str) -> str:
    """Return the name of the parameters of a source."""
    if not source.startswith("arn:"):
        raise errors.not_built("sources that are self-managed Apache Kafka clusters")
    arn = Arn.parse(source)
    if arn.service == "sqs":
        kind = SQS
    elif arn.service == "dynamodb" and "/stream/" in arn.resource:
        kind = STREAM
    else:
        raise errors.not_built(f"sources of {arn.service}")
    if arn.region != ctx.region or arn.account != ctx.account:
        raise errors.validation(f"The source {arn} must be in the account and the region of the pipe.")
    if not ctx.block.cloud.has(arn.service):
        raise errors.not_built(f"sources of {arn.service}")
    return kind


def _source_parameters(pipe: Pipe, kind: str) -> Parameters:
    """Return the parameters of a source, with its batch size. Raises ValidationException."""
    given = pipe.source_parameters.get(kind) or {}
    if kind == STREAM and "StartingPosition" not in given:
        raise errors.validation("DynamoDBStreamParameters with a StartingPosition must be specified for a stream.")
    most = largest_batch(pipe)
    size = given.get("BatchSize")
    window = given.get("MaximumBatchingWindowInSeconds") or 0
    if size is not None and size > most:
        raise errors.validation(f"BatchSize must not be greater than {most} for this target or enrichment.")
    if window > 300:
        raise errors.validation("MaximumBatchingWindowInSeconds must not be greater than 300.")
    if kind == SQS and (size or 0) > _SMALL_BATCH and not window:
        raise errors.validation("MaximumBatchingWindowInSeconds must be at least 1 where BatchSize is greater than 10.")
    if kind == SQS and window and pipe.source.endswith(".fifo"):
        raise errors.validation("MaximumBatchingWindowInSeconds is not valid for FIFO queues.")
    letters = (given.get("DeadLetterConfig") or {}).get("Arn")
    if letters is not None and Arn.parse(letters).service not in ("sqs", "sns"):
        raise errors.validation("DeadLetterConfig must name an Amazon SQS queue or an Amazon SNS topic.")
    return {**given, "BatchSize": size or min(_DEFAULT_BATCHES[kind], most)}


def largest_batch(pipe: Pipe) -> int:
    """Return how many events its enrichment and its target take at once."""
    parts = [Arn.parse(each) for each in (pipe.enrichment, pipe.target) if each]
    if any(is_http(each) for each in parts):
        return 1
    return _LARGEST_BATCHES[parts[-1].service]


def is_http(arn: Arn) -> bool:
    """Whether an ARN is one of an API destination or of a method of a REST API."""
    return arn.service == METHODS or is_destination(arn)


def is_destination(arn: Arn) -> bool:
    """Whether an ARN is one of an API destination."""
    return arn.service == "events" and arn.resource.startswith(DESTINATION)


def _is_there(ctx: Context, arn: Arn) -> bool:
    """Whether Cloudlet has the block of an ARN."""
    return ctx.block.cloud.has("apigateway" if arn.service == METHODS else arn.service)


def _check_owner(pipe: Pipe, arn: Arn) -> None:
    """Raise ValidationException for what no policy of its own guards, where it is of another account.

    Queues, topics, buses, functions and methods of REST APIs have policies, which are asked when they are called.
    """
    if is_destination(arn) and (arn.account, arn.region) != (pipe.account, pipe.region):
        raise errors.validation(f"The API destination {arn} must be in the account and the region of the pipe.")
    if arn.service == "logs" and arn.account != pipe.account:
        raise errors.validation(f"The log group {arn} must be in the account of the pipe.")


def _check_enrichment(ctx: Context, pipe: Pipe) -> None:
    parameters = pipe.enrichment_parameters
    if not pipe.enrichment:
        if parameters:
            raise errors.validation("EnrichmentParameters need an Enrichment.")
        return
    arn = Arn.parse(pipe.enrichment)
    if not (arn.service == "lambda" or is_http(arn)) or not _is_there(ctx, arn):
        raise errors.not_built(f"enrichments of {arn.service}")
    _check_owner(pipe, arn)
    if "HttpParameters" in parameters and not is_http(arn):
        raise errors.validation("HttpParameters are not valid for this enrichment.")
    transforming.check(parameters.get("InputTemplate"))


def _check_target(ctx: Context, pipe: Pipe) -> None:
    arn = pipe.target_arn
    if arn.service not in _LARGEST_BATCHES or not _is_there(ctx, arn):
        raise errors.not_built(f"targets of {arn.service}")
    if arn.service == "events" and not arn.resource.startswith((_BUS, DESTINATION)):
        raise errors.validation(f"{arn} is no event bus and no API destination.")
    if arn.service == "logs" and not log_group.is_group(arn):
        raise errors.validation(f"{arn} is no log group.")
    _check_owner(pipe, arn)
    own = "HttpParameters" if is_http(arn) else _OF_TARGETS.get(arn.service)
    others = pipe.target_parameters.keys() - {own, "InputTemplate"}
    if others:
        raise errors.validation(f"{min(others)} is not valid for the target {arn}.")
    parameters = pipe.target_parameters.get(own or "") or {}
    if "EndpointId" in parameters:
        raise errors.not_built("global endpoints as targets")
    if arn.service == "sqs" and arn.resource.endswith(".fifo") != bool(parameters.get("MessageGroupId")):
        raise errors.validation("MessageGroupId must be specified for FIFO queues, and for them only.")
    transforming.check(pipe.target_parameters.get("InputTemplate"))


def _check_log(ctx: Context, pipe: Pipe) -> None:
    for other in ("FirehoseLogDestination", "S3LogDestination"):
        if other in pipe.log:
            raise errors.not_built(f"the parameter {other} of pipes")
    if pipe.log.get("Level", "OFF") == "OFF":
        return
    if "CloudwatchLogsLogDestination" not in pipe.log:
        raise errors.validation("LogConfiguration must have a destination unless its Level is OFF.")
    if not ctx.block.cloud.has("logs"):
        raise errors.not_built("log groups as log destinations")
    group = Arn.parse(pipe.log["CloudwatchLogsLogDestination"]["LogGroupArn"])
    if not log_group.is_group(group):
        raise errors.validation(f"{group} is no log group.")
    _check_owner(pipe, group)
