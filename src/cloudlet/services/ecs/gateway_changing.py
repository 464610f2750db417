"""Changes of the load balancers of gateways. Express Mode's have none.

API reference, UpdateGateway: what cannot be changed is told, and the rest is changed.
"""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import AwsError
from cloudlet.core.background.retrying import is_transient
from cloudlet.services.ecs.ingress_calls import MANAGED, Calling
from cloudlet.services.ecs.ingress_record import Balancer

ANYBODY: Final = {"IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "Allow HTTPS from anywhere"}]}
PORT: Final = 443
_PREFIXES: Final = {"elbv2": "elasticloadbalancing", "ec2": "ec2"}
_Call = tuple[str, str, dict[str, Any]]


async def change(calling: Calling, found: Balancer) -> dict[str, Any] | None:
    """Have a load balancer as its gateway wants it; return what was changed, or None. Raises AwsError."""
    if found.wanted == found.settings:
        return None
    failures = []
    for model, operation, params in list_calls(found):
        try:
            await calling.call(model, operation, params)
        except AwsError as error:
            if is_transient(error.code, error.status):
                raise
            if error.code in ("InvalidPermission.Duplicate", "InvalidPermission.NotFound"):
                continue
            action = f"{_PREFIXES[model]}:{operation}"
            failures.append({"operation": action, "code": error.code, "message": error.message})
    return {"settings": found.wanted, "failures": failures}


def make_first(found: Balancer) -> dict[str, Any]:
    """Return the settings of a load balancer as the call has made it."""
    made = {"httpDesync": "defensive", "deletionProtection": False, "tags": found.tags}
    given = found.wanted.get("inboundSecurityGroup")
    return {**made, "inboundSecurityGroup": given} if given else made


def list_calls(found: Balancer) -> list[_Call]:
    """Return the calls that make a load balancer what it is to be."""
    known, wanted = found.settings, found.wanted
    calls: list[_Call] = []
    attributes = _list_attributes(known, wanted)
    if attributes:
        params = {"LoadBalancerArn": found.arn, "Attributes": attributes}
        calls.append(("elbv2", "ModifyLoadBalancerAttributes", params))
    if known.get("inboundSecurityGroup") != wanted.get("inboundSecurityGroup"):
        calls += _list_group_calls(found)
    calls += _list_tag_calls(found, known["tags"])
    return calls


def _list_attributes(known: dict[str, Any], wanted: dict[str, Any]) -> list[dict[str, str]]:
    before, after = _make_attributes(known), _make_attributes(wanted)
    return [{"Key": key, "Value": value} for key, value in after.items() if before.get(key) != value]


def _make_attributes(settings: dict[str, Any]) -> dict[str, str]:
    bucket = (settings.get("accessLogs") or {}).get("destination", {}).get("s3") or {}
    logs = {"access_logs.s3.enabled": "true" if bucket else "false"}
    if bucket:
        logs |= {"access_logs.s3.bucket": bucket["bucket"], "access_logs.s3.prefix": bucket.get("prefix") or ""}
    return {
        "deletion_protection.enabled": "true" if settings["deletionProtection"] else "false",
        "routing.http.desync_mitigation_mode": settings.get("httpDesync") or "defensive",
        **logs,
    }


def _list_group_calls(found: Balancer) -> list[_Call]:
    """Return the calls that have another security group let clients in."""
    given = found.wanted.get("inboundSecurityGroup")
    groups = [found.security_group, *([given] if given else [])]
    permission = {"IpProtocol": "tcp", "FromPort": PORT, "ToPort": PORT, **ANYBODY}
    opening = "RevokeSecurityGroupIngress" if given else "AuthorizeSecurityGroupIngress"
    return [
        ("elbv2", "SetSecurityGroups", {"LoadBalancerArn": found.arn, "SecurityGroups": groups}),
        ("ec2", opening, {"GroupId": found.security_group, "IpPermissions": [permission]}),
    ]


def _list_tag_calls(found: Balancer, known: dict[str, str]) -> list[_Call]:
    wanted: dict[str, str] = found.wanted["tags"]
    arns = [found.arn, found.listener]
    calls: list[_Call] = []
    gone = [key for key in known if key not in wanted and key not in MANAGED]
    added = [{"Key": key, "Value": value} for key, value in wanted.items() if known.get(key) != value]
    if gone:
        calls.append(("elbv2", "RemoveTags", {"ResourceArns": arns, "TagKeys": gone}))
    if added:
        calls.append(("elbv2", "AddTags", {"ResourceArns": arns, "Tags": added}))
    return calls


async def release(calling: Calling, found: Balancer) -> None:
    """Let a load balancer be deleted. Raises AwsError."""
    attributes = [{"Key": "deletion_protection.enabled", "Value": "false"}]
    params = {"LoadBalancerArn": found.arn, "Attributes": attributes}
    await calling.remove("elbv2", "ModifyLoadBalancerAttributes", params)
