"""The ARNs that operations take which are about a resource, not a table by its name: tags and policies."""

from __future__ import annotations

from cloudlet.core import Arn, AwsError, Context, Transaction
from cloudlet.services.dynamodb import access
from cloudlet.services.dynamodb.errors import invalid_values, validation
from cloudlet.services.dynamodb.streaming import streams
from cloudlet.services.dynamodb.tables import directory
from cloudlet.services.dynamodb.tables.table import Table


def parsed(text: str) -> Arn:
    """Return the ARN of a table or of what belongs to one. Raises AwsError for anything else."""
    if not text.startswith("arn:"):
        raise validation(f"Invalid ResourceArn: ARNs must start with 'arn:': {text}")
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise validation(f"Invalid ResourceArn provided as input {text}") from None
    kind, _, rest = arn.resource.partition("/")
    if arn.service != "dynamodb" or kind != "table" or not rest:
        raise validation(f"Invalid ResourceArn provided as input {text}")
    return arn


def not_found(text: str) -> AwsError:
    """Return the error about a resource that does not exist."""
    return AwsError("ResourceNotFoundException", f"Requested resource not found: ResourcArn: {text} not found")


async def table_of(ctx: Context, tx: Transaction, arn: Arn, action: str) -> Table:
    """Return the table of an ARN, for an action of IAM on it. Raises AwsError.

    The ARN may be that of what belongs to the table, too.
    """
    table = await directory.by_arn(tx, arn) if arn.region == ctx.region else None
    if table is None:
        access.authorize_missing(ctx, action, arn.account, arn.region, arn.resource.split("/")[1])
        raise not_found(str(arn))
    return table


def only_table(arn: Arn) -> None:
    """Raise for the ARN of an index or a stream."""
    if "/" in arn.resource.removeprefix("table/"):
        raise invalid_values(f"Invalid resource arn provided, only table is accepted. Provided resource arn: {arn}")


async def stream_label(tx: Transaction, arn: Arn) -> str:
    """Return "" for the ARN of a table, the label for that of one of its streams. Raises AwsError for others."""
    if "/" not in arn.resource.removeprefix("table/"):
        return ""
    try:
        account, region, name, label = streams.parse_arn(str(arn))
    except ValueError:
        raise invalid_values(
            f"Invalid resource arn provided, only table or stream is accepted. Provided resource arn: {arn}"
        ) from None
    if await streams.find(tx, account, region, name, label) is None:
        raise not_found(str(arn))
    return label
