"""The list of secrets."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.secretsmanager import access, search
from cloudlet.services.secretsmanager.block import service
from cloudlet.services.secretsmanager.listed import to_api

MAX_LISTED_SECRETS: Final = 100


@service.operation("ListSecrets")
async def list_secrets(ctx: Context, tx: Transaction, params: Params) -> Result:
    access.authorize_account(ctx, "ListSecrets", params)
    found, following = await search.list_page(
        tx,
        ctx.account,
        ctx.region,
        search.compile_filters(params.get("Filters")),
        params.get("NextToken"),
        params.get("MaxResults") or MAX_LISTED_SECRETS,
        order=params.get("SortBy") or "created-date",
        is_descending=params.get("SortOrder") == "desc",
        includes_deleted=bool(params.get("IncludePlannedDeletion")),
    )
    return {
        "SecretList": [
            {
                **to_api(each),
                "DeletedDate": each.deleted or None,
                "SecretVersionsToStages": {id: each.list_stages(id) for id in dict.fromkeys(each.stages.values())}
                or None,
            }
            for each in found
        ],
        "NextToken": following,
    }
