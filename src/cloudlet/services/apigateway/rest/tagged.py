"""What of REST APIs has tags, by its ARN. Developer guide, "API Gateway resources that can be tagged"."""

from __future__ import annotations

import re

from cloudlet.core import Context, Transaction
from cloudlet.services.apigateway import domains, tagging
from cloudlet.services.apigateway.rest import store

_STAGE = re.compile(r"restapis/(?P<api>[^/]+)/stages/(?P<stage>[^/]+)")
_OWNED = {
    "apikeys": "ApiKey",
    "clientcertificates": "ClientCertificate",
    "usageplans": "UsagePlan",
    "vpclinks": "VpcLink",
}


async def path_of(ctx: Context, tx: Transaction, resource: str) -> str:
    """Return the path of a resource that is there, by its ARN. Raises AwsError."""
    path = tagging.path_in(resource)
    kind, _, name = path.partition("/")
    stage = _STAGE.fullmatch(path)
    if stage is not None:
        await store.get_api(ctx, tx, stage["api"])
        await store.get_part(tx, stage["api"], "Stage", stage["stage"])
    elif kind == "restapis":
        await store.get_api(ctx, tx, name)
    elif kind == "domainnames":
        await domains.get(ctx, tx, name)
    elif kind in _OWNED:
        await store.get_owned(ctx, tx, _OWNED[kind], name)
    else:
        raise tagging.wrong_arn(resource)
    return path
