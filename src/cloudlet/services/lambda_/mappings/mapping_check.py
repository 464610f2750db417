"""What event source mappings may be like, by their source. API reference, "CreateEventSourceMapping"."""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec.structs import replace

from cloudlet.core import Arn, AwsError, Params
from cloudlet.core.aws import event_pattern
from cloudlet.core.aws.event_ruler import PatternError
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.mappings.mapping import Mapping

_FILTERS = 5
_FIFO_BATCH = 10
_SMALL_BATCH = 10
_OLDEST_SECONDS = 60
_UNBUILT = ("KMSKeyArn", "MetricsConfig", "LoggingConfig", "ProvisionedPollerConfig")
_OTHER_SOURCES = (
    "SelfManagedEventSource",
    "Topics",
    "Queues",
    "SourceAccessConfigurations",
    "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
)
_OF_QUEUES = ("ScalingConfig",)
_OF_STREAMS = (
    "StartingPosition",
    "StartingPositionTimestamp",
    "ParallelizationFactor",
    "DestinationConfig",
    "MaximumRecordAgeInSeconds",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "TumblingWindowInSeconds",
)


class Kind(NamedTuple):
    """A kind of event sources."""

    service: str
    batch_size: int
    """How many records a batch has at most where that is not said."""
    is_stream: bool

    @property
    def reason(self) -> str:
        """Why a mapping is in its state when a user has asked for that."""
        return "User action" if self.is_stream else "USER_INITIATED"


_KINDS = {"sqs": Kind("sqs", 10, False), "dynamodb": Kind("dynamodb", 100, True)}


def kind_of(source: str | None) -> Kind:
    """Return the kind of an event source by its ARN. Raises AwsError for what is none, or is not built."""
    if not source:
        raise errors.invalid("Unrecognized event source.")
    try:
        arn = Arn.parse(source)
    except ValueError:
        raise _unrecognized(source) from None
    if arn.service in _KINDS:
        if arn.service == "dynamodb" and "/stream/" not in arn.resource:
            raise errors.invalid("Unrecognized event source.")
        return _KINDS[arn.service]
    if arn.service in ("kinesis", "kafka", "mq", "rds"):
        raise errors.not_built(f"event sources of {arn.service}")
    raise _unrecognized(source)


def _unrecognized(source: str) -> AwsError:
    return errors.invalid(
        f"Unrecognized event source, must be kinesis, dynamodb stream or sqs. Unsupported source arn {source}"
    )


def refuse_other_sources(params: Params) -> None:
    """Raise AwsError for parameters of sources that are not built, or that would have no effect."""
    for name in (*_OTHER_SOURCES, *_UNBUILT):
        if params.get(name):
            raise errors.not_built(f"the parameter {name} of event source mappings")


def configured(mapping: Mapping, kind: Kind, params: Params) -> Mapping:
    """Return a mapping with what is given of its configuration. Raises AwsError."""
    for name in _OF_QUEUES if kind.is_stream else _OF_STREAMS:
        # To try again no more is something else than what a queue does.
        if params.get(name) or (name == "MaximumRetryAttempts" and params.get(name) is not None):
            if name == "StartingPosition":
                raise errors.invalid("StartingPosition is not valid for SQS event sources.")
            raise errors.invalid(f"Unsupported parameter {name} for given event source mapping type.")
    changes = {field: params[name] for name, field in _SIMPLE.items() if params.get(name) is not None}
    if params.get("FilterCriteria") is not None:
        changes["filters"] = _filters(params["FilterCriteria"])
    if params.get("FunctionResponseTypes") is not None:
        changes["response_types"] = tuple(params["FunctionResponseTypes"])
    if params.get("ScalingConfig") is not None:
        changes["maximum_concurrency"] = params["ScalingConfig"].get("MaximumConcurrency")
    if params.get("DestinationConfig") is not None:
        changes["on_failure"] = _on_failure(params["DestinationConfig"])
    changed = replace(mapping, **changes)
    _check(changed, kind)
    return changed


_SIMPLE = {
    "Enabled": "is_enabled",
    "BatchSize": "batch_size",
    "MaximumBatchingWindowInSeconds": "window",
    "ParallelizationFactor": "parallelization",
    "MaximumRecordAgeInSeconds": "maximum_age",
    "MaximumRetryAttempts": "attempts",
    "BisectBatchOnFunctionError": "bisects",
    "TumblingWindowInSeconds": "tumbling_window",
}


def check_position(params: Params, kind: Kind) -> str:
    """Return where in a stream a mapping begins. Raises AwsError."""
    if not kind.is_stream:
        return ""
    position: str | None = params.get("StartingPosition")
    if position is None:
        raise errors.invalid(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must "
            "not be null."
        )
    if position == "AT_TIMESTAMP" or params.get("StartingPositionTimestamp") is not None:
        raise errors.invalid("Unsupported starting position for DynamoDB: it must be TRIM_HORIZON or LATEST.")
    return position


def _check(mapping: Mapping, kind: Kind) -> None:
    is_fifo = not kind.is_stream and mapping.source.endswith(".fifo")
    if is_fifo and mapping.batch_size > _FIFO_BATCH:
        raise errors.invalid(f"BatchSize of FIFO queues cannot be greater than {_FIFO_BATCH}.")
    if is_fifo and mapping.window:
        raise errors.invalid("Batching window is not supported for FIFO queues.")
    if not kind.is_stream and mapping.batch_size > _SMALL_BATCH and not mapping.window:
        raise errors.invalid(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
        )
    if mapping.tumbling_window and mapping.parallelization > 1:
        raise errors.invalid("ParallelizationFactor must be 1 where TumblingWindowInSeconds is set.")
    if -1 < mapping.maximum_age < _OLDEST_SECONDS:
        raise errors.invalid(f"MaximumRecordAgeInSeconds must be -1, or at least {_OLDEST_SECONDS}.")


def _filters(criteria: dict[str, Any]) -> tuple[str, ...]:
    patterns = [each.get("Pattern") or "" for each in criteria.get("Filters") or ()]
    if len(patterns) > _FILTERS:
        raise errors.invalid(f"The number of filters exceeds the limit of {_FILTERS}.")
    for pattern in patterns:
        try:
            event_pattern.compile(pattern)
        except PatternError:
            raise errors.invalid("Invalid filter pattern definition.") from None
    return tuple(patterns)


def _on_failure(destinations: dict[str, Any]) -> str:
    if (destinations.get("OnSuccess") or {}).get("Destination"):
        raise errors.invalid("Unsupported DestinationConfig parameter for given event source mapping type.")
    arn: str = (destinations.get("OnFailure") or {}).get("Destination") or ""
    if not arn:
        return ""
    try:
        is_fit = Arn.parse(arn).service in ("s3", "sns", "sqs") and not arn.endswith(".fifo")
    except ValueError:
        is_fit = False
    if not is_fit:
        raise errors.invalid(f"The destination ARN {arn} is invalid.")
    return arn
