"""The limits of an account."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.operations.running import MAX_ACCOUNT_OPERATIONS, MAX_CONCURRENT_RESOURCES
from cloudlet.services.cloudformation.templates.template import MAX_OUTPUTS


@service.direct("DescribeAccountLimits")
async def describe_account_limits(ctx: Context, params: Params) -> Result:
    limits = {
        "ConcurrentResourcesLimit": MAX_CONCURRENT_RESOURCES * MAX_ACCOUNT_OPERATIONS,
        "StackOutputsLimit": MAX_OUTPUTS,
    }
    return {"AccountLimits": [{"Name": name, "Value": value} for name, value in limits.items()]}
