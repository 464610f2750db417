"""The resource types of Amazon EventBridge Pipes."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Name, Properties, Ready, ResourceType

_FIXED: Final = ("StartingPosition", "StartingPositionTimestamp", "QueueName", "VirtualHost", "TopicName")
_FIXED_OF_KAFKA: Final = ("ConsumerGroupID", "AdditionalBootstrapServers")


def _make_source(properties: Properties) -> dict[str, Any] | None:
    """Return the parameters of a source, without those that cannot be changed."""
    given = properties.get("SourceParameters")
    if given is None:
        return None
    return {
        name: {key: item for key, item in value.items() if key not in (*_FIXED, *_FIXED_OF_KAFKA)}
        for name, value in given.items()
    }


RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::Pipes::Pipe",
        "pipes",
        create=Call("CreatePipe"),
        read=Call("DescribePipe"),
        updates=(Call("UpdatePipe", {"SourceParameters": _make_source}),),
        delete=Call("DeletePipe"),
        named=Name("Name", 64),
        tag=Call("TagResource", {"resourceArn": "Arn"}),
        ready=(
            Ready(
                "CurrentState",
                ("RUNNING", "STOPPED"),
                ("CREATE_FAILED", "UPDATE_FAILED", "START_FAILED", "STOP_FAILED"),
                "StateReason",
            ),
        ),
        is_deleted_later=True,
        list=Call("ListPipes"),
    ),
)
