"""What GetTraceSummaries tells of a trace."""

from __future__ import annotations

from typing import Any

from cloudlet.services.xray import root_causes
from cloudlet.services.xray.trace import Entity, Node, Trace


def summary(trace: Trace) -> dict[str, Any]:
    """Return a trace as a TraceSummary."""
    root = trace.root
    return {
        "Id": trace.id,
        "StartTime": trace.start,
        "Duration": trace.duration,
        "ResponseTime": root.duration,
        "HasFault": root.has_fault,
        "HasError": root.has_error,
        "HasThrottle": root.has_throttle,
        "IsPartial": trace.is_partial,
        "Http": _http(root),
        "Annotations": _annotations(trace),
        "Users": [
            {"UserName": user, "ServiceIds": [node.shown() for node in nodes]} for user, nodes in users(trace).items()
        ],
        "ServiceIds": [node.shown() for node in trace.nodes()],
        "ResourceARNs": [{"ARN": arn} for arn in resource_arns(trace)],
        "InstanceIds": [{"Id": identity} for identity in ec2(trace, "instance_id")],
        "AvailabilityZones": [{"Name": name} for name in ec2(trace, "availability_zone")],
        "EntryPoint": root.node.shown(),
        "FaultRootCauses": root_causes.to_api(trace, "fault"),
        "ErrorRootCauses": root_causes.to_api(trace, "error"),
        "ResponseTimeRootCauses": root_causes.to_api(trace, "responsetime"),
        "Revision": len(trace.documents),
    }


def _http(root: Entity) -> dict[str, Any]:
    request = root.request
    return {
        "HttpURL": request.get("url"),
        "HttpStatus": root.status,
        "HttpMethod": request.get("method"),
        "UserAgent": request.get("user_agent"),
        "ClientIp": request.get("client_ip"),
    }


def users(trace: Trace) -> dict[str, dict[Node, None]]:
    """Return the users that segments name, with their services."""
    found: dict[str, dict[Node, None]] = {}
    for entity in trace.entities:
        if entity.raw.get("user"):
            found.setdefault(entity.raw["user"], {}).setdefault(entity.node)
    return found


def resource_arns(trace: Trace) -> list[str]:
    """Return the ARNs of resources that segments name."""
    return list(
        dict.fromkeys(entity.raw["resource_arn"] for entity in trace.entities if entity.raw.get("resource_arn"))
    )


def ec2(trace: Trace, member: str) -> list[str]:
    """Return what segments say of the EC2 instances that they ran on."""
    found = [ec2_of(entity, member) for entity in trace.entities]
    return list(dict.fromkeys(each for each in found if each))


def ec2_of(entity: Entity, member: str) -> str | None:
    """Return what an entity says of the EC2 instance that it ran on."""
    said = (entity.raw.get("aws") or {}).get("ec2")
    value = said.get(member) if isinstance(said, dict) else None
    return value if isinstance(value, str) else None


def _annotations(trace: Trace) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, dict[tuple[type, Any], dict[Node, None]]] = {}
    for entity in trace.entities:
        for key, value in (entity.raw.get("annotations") or {}).items():
            found.setdefault(key, {}).setdefault((type(value), value), {}).setdefault(entity.node)
    return {
        key: [
            {"AnnotationValue": _annotation(value), "ServiceIds": [node.shown() for node in nodes]}
            for (_, value), nodes in values.items()
        ]
        for key, values in found.items()
    }


def _annotation(value: str | bool | float) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BooleanValue": value}
    return {"StringValue": value} if isinstance(value, str) else {"NumberValue": float(value)}
