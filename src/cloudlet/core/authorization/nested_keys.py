"""Condition keys whose values lie deep in a request, or are put together.

Sources: Service Authorization Reference; Route 53 Developer Guide, "Using IAM policy conditions for fine-grained access
control".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Params = Mapping[str, Any]


def _list_changes(params: Params) -> Sequence[Mapping[str, Any]]:
    return (params.get("ChangeBatch") or {}).get("Changes") or ()


def _list_actions(params: Params) -> list[str]:
    return [change["Action"] for change in _list_changes(params)]


def _list_names(params: Params) -> list[str]:
    """Return names in lower case, without a dot at their end."""
    return [change["ResourceRecordSet"]["Name"].lower().removesuffix(".") for change in _list_changes(params)]


def _list_types(params: Params) -> list[str]:
    return [change["ResourceRecordSet"]["Type"] for change in _list_changes(params)]


def _list_vpcs(params: Params) -> list[str]:
    vpc = params.get("VPC") or params
    identifier, region = vpc.get("VPCId"), vpc.get("VPCRegion")
    return [f"VPCId={identifier},VPCRegion={region}"] if identifier else []


def _list_subnets(params: Params) -> list[str]:
    mappings = params.get("SubnetMappings") or ()
    return [*(params.get("Subnets") or ()), *(each["SubnetId"] for each in mappings if "SubnetId" in each)]


def _list_member(name: str) -> Callable[[Params], list[str]]:
    """Return what lists the texts of a member that has another name than the key."""

    def read(params: Params) -> list[str]:
        value = params.get(name) or []
        return [value] if isinstance(value, str) else list(value)

    return read


NESTED_KEYS: Final[dict[str, Callable[[Params], list[str]]]] = {
    "route53:ChangeResourceRecordSetsActions": _list_actions,
    "route53:ChangeResourceRecordSetsNormalizedRecordNames": _list_names,
    "route53:ChangeResourceRecordSetsRecordTypes": _list_types,
    "route53:VPCs": _list_vpcs,
    "elasticloadbalancing:ListenerProtocol": _list_member("Protocol"),
    "elasticloadbalancing:SecurityGroup": _list_member("SecurityGroups"),
    "elasticloadbalancing:SecurityPolicy": _list_member("SslPolicy"),
    "elasticloadbalancing:Subnet": _list_subnets,
}
"""By the names of condition keys: what returns their values in a request."""
