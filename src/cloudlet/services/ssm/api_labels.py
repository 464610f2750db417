"""The operations on labels. User guide, "Working with parameter labels"."""

from __future__ import annotations

import re
from typing import Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ssm import access, change_events, names, parameters
from cloudlet.services.ssm.block import service
from cloudlet.services.ssm.errors import ParameterNotFound
from cloudlet.services.ssm.parameter_record import Parameter

_MAX_LABELS: Final = 10
_LABEL: Final = re.compile(r"(?!\d|aws|ssm)[a-z0-9_.-]+", re.ASCII | re.IGNORECASE)


@service.operation("LabelParameterVersion")
async def label_parameter_version(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Give a version labels, which other versions lose; those that can be none are listed."""
    found = await _get(ctx, tx, "LabelParameterVersion", params)
    number = params.get("ParameterVersion", found.latest.number)
    await parameters.get_version(tx, found, number)
    valid = [label for label in params["Labels"] if _LABEL.fullmatch(label)]
    labels = {**found.labels, **dict.fromkeys(valid, number)}
    if sum(other == number for other in labels.values()) > _MAX_LABELS:
        raise AwsError(
            "ParameterVersionLabelLimitExceeded",
            f"A parameter version can have maximum {_MAX_LABELS} labels. "
            "Move one or more labels to another version and try again.",
        )
    if valid:
        parameters.save(tx, replace(found, labels=labels))
        change_events.add(tx, found, "LabelParameterVersion", ctx.now())
    invalid = [label for label in params["Labels"] if label not in valid]
    return {"InvalidLabels": invalid, "ParameterVersion": number}


@service.operation("UnlabelParameterVersion")
async def unlabel_parameter_version(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Take labels from a version; those that it does not have are listed."""
    found = await _get(ctx, tx, "UnlabelParameterVersion", params)
    number = params["ParameterVersion"]
    await parameters.get_version(tx, found, number)
    removed = [label for label in params["Labels"] if found.labels.get(label) == number]
    invalid = [label for label in params["Labels"] if label not in removed]
    labels = {label: other for label, other in found.labels.items() if label not in removed}
    parameters.save(tx, replace(found, labels=labels))
    return {"RemovedLabels": removed, "InvalidLabels": invalid}


async def _get(ctx: Context, tx: Transaction, action: str, params: Params) -> Parameter:
    reference = names.parse_own_name(ctx, params["Name"])
    found = await parameters.find(tx, ctx.account, ctx.region, reference.name)
    access.authorize(ctx, action, reference, found)
    if found is None:
        raise ParameterNotFound(f"Parameter {reference.name} not found.")
    return found
