"""The operations on the credential report of an account."""

from __future__ import annotations

from typing import Final

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.iam import credential_report
from cloudlet.services.iam.block import service
from cloudlet.services.iam.credential_report_record import CredentialReport

_REPORTS: Final = Subspace("credential-report")
_FRESH_SECONDS: Final = 4 * 3600
"""A report is as good as a new one for so long."""
_MAX_READ_USERS: Final = 100
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CredentialReport).decode


@service.direct("GenerateCredentialReport")
async def generate_credential_report(ctx: Context, params: Params) -> Result:
    """Make a report, unless there is one of the last four hours. It is there when this is answered."""

    async def find(tx: Transaction) -> CredentialReport | None:
        return await _find(tx, ctx.account)

    last = await ctx.transact(find)
    if last is not None and ctx.now() - last.generated < _FRESH_SECONDS:
        return {"State": "COMPLETE"}
    report = CredentialReport(credential_report.write(await _describe_all(ctx)), ctx.now())

    async def save(tx: Transaction) -> Result:
        tx.put(_REPORTS.key(ctx.account), _encode(report))
        return {"State": "STARTED", "Description": "No report exists. Starting a new report generation task"}

    return await ctx.transact(save)


@service.operation("GetCredentialReport")
async def get_credential_report(ctx: Context, tx: Transaction, params: Params) -> Result:
    report = await _find(tx, ctx.account)
    if report is None:
        raise AwsError("ReportNotPresent", "No report exists. Generate a new report before you get it.")
    if ctx.now() - report.generated >= _FRESH_SECONDS:
        raise AwsError("ReportExpired", "The report is older than four hours. Generate a new report.")
    return {"Content": report.content, "ReportFormat": "text/csv", "GeneratedTime": report.generated}


async def _describe_all(ctx: Context) -> list[credential_report.Row]:
    """Return the rows of an account, read some at a time."""

    async def describe_root(tx: Transaction) -> credential_report.Row:
        return await credential_report.describe_root(tx, ctx.account, partition_of(ctx.region))

    rows = [await ctx.transact(describe_root)]
    after: str | None = ""
    while after is not None:
        last = after

        async def describe_some(tx: Transaction, last: str = last) -> tuple[list[credential_report.Row], str | None]:
            users = await credential_report.list_users(tx, ctx.account, last, _MAX_READ_USERS)
            described = [await credential_report.describe_user(tx, user) for user in users]
            return described, users[-1].key if len(users) == _MAX_READ_USERS else None

        more, after = await ctx.transact(describe_some)
        rows += more
    return rows


async def _find(tx: Transaction, account: str) -> CredentialReport | None:
    raw = await tx.get(_REPORTS.key(account))
    return None if raw is None else _decode(raw)
