"""Macros: functions that process templates, under names that are an account's in a region."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError, Context, Subspace
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.aws.arn import Arn
from cloudlet.core.aws.records import Records
from cloudlet.core.aws.resources.caller import Caller
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudformation.templates.transforms import Transform, TransformError

_BY: Final = "cloudformation.amazonaws.com"


class Macro(msgspec.Struct, frozen=True):
    """A macro, and who calls its function."""

    account: str
    region: str
    name: str
    function: str
    stack: str
    """The id of the stack that it belongs to."""
    role: str = ""
    """The role of that stack; without one, calls are made as its maker."""
    caller: Caller | None = None
    description: str = ""


def _make_missing(name: str) -> AwsError:
    return TransformError(f"No transform named {name} found.")


macros: Final = Records(Subspace("macro"), Macro, _make_missing)


async def run_macro(ctx: Context, transform: Transform, fragment: Any, values: dict[str, Any]) -> Any:
    """Return what a macro makes of a part of a template. Raises TransformError.

    `values` are those of the template's parameters.
    """
    account, region = ctx.account, ctx.region
    name = transform.name if "::" in transform.name else f"{account}::{transform.name}"
    owner, _, short = name.partition("::")
    if owner != account:
        # A macro is its account's alone, however its function may be shared.
        raise _make_missing(name)
    found = await ctx.transact(lambda tx: macros.find(tx, account, region, short))
    if found is None:
        raise _make_missing(name)
    request = uuid4()
    event = {
        "region": region,
        "accountId": account,
        "fragment": fragment,
        "transformId": name,
        "params": transform.parameters,
        "requestId": request,
        "templateParameterValues": values,
    }
    answer = await _invoke(ctx, found, name, event)
    if not isinstance(answer, dict) or answer.get("requestId") != request or "status" not in answer:
        raise TransformError(f"Received malformed response from transform {name}")
    if str(answer["status"]).lower() != "success":
        reason = answer.get("errorMessage")
        raise TransformError(
            f"Transform {name} failed with: {reason}"
            if reason
            else f"Transform {name} failed without an error message."
        )
    if "fragment" not in answer:
        raise TransformError(f"Received malformed response from transform {name}")
    return answer["fragment"]


async def _invoke(ctx: Context, found: Macro, name: str, event: dict[str, Any]) -> Any:
    """Return what a macro's function answers; None where it failed, or answered no JSON."""
    if found.role:
        principal = make_session(found.role, "AWSCloudFormation", _BY)
    elif found.caller is not None:
        principal = found.caller.make_principal(_BY)
    else:
        raise TransformError(f"Failed to execute transform {name}")
    params = {"FunctionName": found.function, "Payload": json.dumps(event).encode()}
    account = Arn.parse(found.function).account if found.function.startswith("arn:") else found.account
    try:
        answer = await ctx.block.cloud.call(
            "lambda", "Invoke", params, principal=principal, account=account, region=found.region
        )
    except AwsError as error:
        raise TransformError(f"Failed to execute transform {name}: {error.message}") from None
    if answer is None or answer.get("FunctionError"):
        return None
    payload = answer.get("Payload") or b""
    text = payload if isinstance(payload, bytes) else b"".join([chunk async for chunk in payload])
    try:
        return json.loads(text)
    except ValueError:
        return None
