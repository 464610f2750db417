"""DHCP options sets."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import AwsError, Transaction
from cloudlet.services.ec2.resource import Kind, Resource, Scope, to_tag_list


class DhcpOptions(Resource, kw_only=True):
    configurations: dict[str, list[str]]


async def _show(scope: Scope, tx: Transaction, options: DhcpOptions) -> dict[str, Any]:
    return {
        "DhcpOptionsId": options.name,
        "OwnerId": options.account,
        "DhcpConfigurations": [
            {"Key": key, "Values": [{"Value": each} for each in values]}
            for key, values in options.configurations.items()
        ],
        "Tags": to_tag_list(options),
    }


def _make_absent(name: str) -> AwsError:
    return AwsError("InvalidDhcpOptionID.NotFound", f"The dhcpOption ID '{name}' does not exist")


DHCP_OPTIONS: Final = Kind(
    DhcpOptions, "dopt", "dhcp-options", "dhcpOptions", "InvalidDhcpOptionsId", _show, "DhcpOptions", "DhcpOptionsIds",
    {
        "dhcp-options-id": "",
        "key": "DhcpConfigurations.Key",
        "owner-id": "",
        "value": "DhcpConfigurations.Values.Value",
    },
    _make_absent,
)  # fmt: skip
