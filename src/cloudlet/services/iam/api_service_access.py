"""The operations on the services that somebody may access, and when each was accessed last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Subspace, Transaction
from cloudlet.core.kernel import ids
from cloudlet.services.iam import (
    documents,
    errors,
    managed,
    membership,
    paging,
    policy_uses,
    principals,
    service_access,
    uses,
)
from cloudlet.services.iam.access_report_record import AccessReport
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import IDENTITIES, USERS
from cloudlet.services.iam.entity_record import Group, Identity, ManagedPolicy, Role, User
from cloudlet.services.iam.use_record import Use

_REPORTS: Final = Subspace("access-report")
_REPORT_SECONDS: Final = 7 * 86400
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AccessReport).decode


@service.operation("GenerateServiceLastAccessedDetails")
async def generate_service_last_accessed_details(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("Granularity") == "ACTION_LEVEL":
        raise AwsError("NotImplemented", "Cloudlet does not track actions. See docs/services/iam.md.", status=501)
    await _get_subject(ctx, tx, params["Arn"])
    space = _REPORTS.sub(ctx.account)
    tx.delete_range(space.begin, space.key(_make_id(ctx.now() - _REPORT_SECONDS)))
    job = _make_id(ctx.now())
    tx.put(space.key(job), _encode(AccessReport(params["Arn"], ctx.now())))
    return {"JobId": job}


@service.operation("GetServiceLastAccessedDetails")
async def get_service_last_accessed_details(ctx: Context, tx: Transaction, params: Params) -> Result:
    report = await _get_report(ctx, tx, params)
    subject = await _get_subject(ctx, tx, report.arn)
    if isinstance(subject, ManagedPolicy):
        policies = [subject.document]
    else:
        policies = [each.document for each in await principals.list_policies(tx, subject)]
    used = [(each, await uses.list_services(tx, each)) for each in await _list_entities(ctx, tx, subject)]
    shown = {
        prefix: _show_service(prefix, [(each, services[prefix]) for each, services in used if prefix in services])
        for prefix in service_access.list_granted(map(documents.parse, policies))
    }
    return {
        **_show_report(report),
        "JobType": "SERVICE_LEVEL",
        **paging.list_items(params, "ServicesLastAccessed", shown),
    }


@service.operation("GetServiceLastAccessedDetailsWithEntities")
async def get_service_last_accessed_details_with_entities(ctx: Context, tx: Transaction, params: Params) -> Result:
    report = await _get_report(ctx, tx, params)
    found: dict[str, Any] = {}
    for each in await _list_entities(ctx, tx, await _get_subject(ctx, tx, report.arn)):
        use = (await uses.list_services(tx, each)).get(params["ServiceNamespace"])
        at = None if use is None else use.at
        info = {"Arn": each.arn, "Name": each.name, "Type": each.kind.upper(), "Id": each.id, "Path": each.path}
        # The latest first; the keys sort so.
        found[f"{10**12 - int(at or 0):013} {each.id}"] = {"EntityInfo": info, "LastAuthenticated": at}
    return {**_show_report(report), **paging.list_items(params, "EntityDetailsList", found)}


@service.operation("ListPoliciesGrantingServiceAccess")
async def list_policies_granting_service_access(ctx: Context, tx: Transaction, params: Params) -> Result:
    subject = await principals.get_own(ctx, tx, params["Arn"])
    applied = await principals.list_policies(tx, subject)
    shown = {}
    for number, prefix in enumerate(params["ServiceNamespaces"]):
        granting = [each for each in applied if service_access.is_granted(documents.parse(each.document), prefix)]
        shown[f"{number:06}"] = {"ServiceNamespace": prefix, "Policies": [_show_granting(each) for each in granting]}
    return paging.list_items(params, "PoliciesGrantingServiceAccess", shown)


def _show_granting(policy: principals.AppliedPolicy) -> dict[str, Any]:
    name = policy.name.rpartition("/")[2]
    if policy.type == "managed":
        return {"PolicyName": name, "PolicyType": "MANAGED", "PolicyArn": policy.name}
    owner = policy.owner
    return {"PolicyName": name, "PolicyType": "INLINE", "EntityType": owner.kind.upper(), "EntityName": owner.name}


def _show_service(prefix: str, used: Sequence[tuple[Identity, Use]]) -> dict[str, Any]:
    """Return a service with the last of its uses."""
    shown: dict[str, Any] = {
        "ServiceName": service_access.list_known().get(prefix, prefix),
        "ServiceNamespace": prefix,
        "TotalAuthenticatedEntities": len(used),
    }
    if used:
        who, use = max(used, key=lambda each: each[1].at)
        shown |= {
            "LastAuthenticated": use.at,
            "LastAuthenticatedEntity": who.arn,
            "LastAuthenticatedRegion": use.region,
        }
    return shown


def _show_report(report: AccessReport) -> dict[str, Any]:
    return {"JobStatus": "COMPLETED", "JobCreationDate": report.created, "JobCompletionDate": report.created}


async def _get_report(ctx: Context, tx: Transaction, params: Params) -> AccessReport:
    """Return a report. Raises AwsError where there is none."""
    raw = await tx.get(_REPORTS.key(ctx.account, params["JobId"]))
    if raw is None:
        raise errors.no_such_entity(f"No report with the JobId {params['JobId']} was found.")
    return _decode(raw)


async def _get_subject(ctx: Context, tx: Transaction, arn: str) -> User | Group | Role | ManagedPolicy:
    """Return the user, group, role or policy that a report is about. Raises AwsError where there is none."""
    if ":policy/" in arn:
        return await managed.get(tx, ctx.account, arn)
    return await principals.get_own(ctx, tx, arn)


async def _list_entities(
    ctx: Context, tx: Transaction, subject: User | Group | Role | ManagedPolicy
) -> list[User | Role]:
    """Return the users and roles that a report counts."""
    if isinstance(subject, Group):
        return [await USERS.get(tx, ctx.account, key) for key in await membership.list_keys(tx, subject)]
    if not isinstance(subject, ManagedPolicy):
        return [subject]
    found: dict[str, User | Role] = {}
    for use in await policy_uses.list_uses(tx, ctx.account, subject.arn):
        if use.usage == "PermissionsPolicy":
            owner = await IDENTITIES[use.kind].get(tx, ctx.account, use.key)
            found |= {each.id: each for each in await _list_entities(ctx, tx, owner)}
    return list(found.values())


def _make_id(at: float) -> str:
    """Return a UUID (RFC 9562, version 7), which sorts by its time."""
    stamp, random = f"{max(0, int(at * 1000)):012x}", ids.uuid4()
    return f"{stamp[:8]}-{stamp[8:]}-7{random[15:]}"
