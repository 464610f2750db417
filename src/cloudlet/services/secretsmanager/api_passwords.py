"""Random passwords."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result
from cloudlet.services.secretsmanager import access, passwords
from cloudlet.services.secretsmanager.block import service


@service.direct("GetRandomPassword")
async def get_random_password(ctx: Context, params: Params) -> Result:
    access.authorize_account(ctx, "GetRandomPassword", params)
    excluded = {kind for kind in passwords.TYPES if params.get(kind)}
    password = passwords.make(
        params.get("PasswordLength") or passwords.DEFAULT_LENGTH,
        excluded,
        frozenset(params.get("ExcludeCharacters") or ""),
        has_space=bool(params.get("IncludeSpace")),
        has_each=params.get("RequireEachIncludedType") is not False,
    )
    return {"RandomPassword": password}
