"""The operations that Cloudlet's other blocks call."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.iam import access_keys, errors, managed, password_policies, principals, uses
from cloudlet.services.iam.api_server_certificates import SERVER_CERTIFICATES
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import USERS
from cloudlet.services.iam.entity_record import Group, Role, User
from cloudlet.services.iam.use_record import Use


@service.operation("ResolveAccessKey")
async def resolve_access_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = await access_keys.find(tx, params["AccessKeyId"])
    if key is None:
        raise errors.no_such_entity(f"The Access Key with id {params['AccessKeyId']} cannot be found.")
    if not key.user:
        arn = f"arn:{key.partition}:iam::{key.account}:root"
        return {"Arn": arn, "UserId": key.account, "IsActive": key.is_active}
    user = await USERS.get(tx, key.account, key.user)
    return {"Arn": user.arn, "UserId": user.id, "IsActive": key.is_active}


@service.operation("ResolvePrincipal")
async def resolve_principal(ctx: Context, tx: Transaction, params: Params) -> Result:
    identity = await principals.get(tx, params["Arn"])
    if isinstance(identity, Group):
        raise errors.no_such_entity(f"{identity.arn} is no principal.")
    policies = {
        # An inline policy of a group may have the name of one of the user's own.
        each.name if each.owner is identity or each.type == "managed" else f"{each.owner.name}/{each.name}": (
            each.document
        )
        for each in await principals.list_policies(tx, identity)
    }
    if isinstance(identity, User):
        policies |= await password_policies.list_permissions(tx, identity)
    boundary = await managed.get(tx, identity.account, identity.boundary) if identity.boundary else None
    role = identity if isinstance(identity, Role) else None
    return {
        "Arn": identity.arn,
        "Id": identity.id,
        "Policies": policies,
        "BoundaryArn": identity.boundary or None,
        "Boundary": None if boundary is None else boundary.document,
        "Tags": identity.tags,
        "MaxSessionDuration": None if role is None else role.max_session_seconds,
        "TrustPolicy": None if role is None else role.trust_policy,
    }


@service.operation("ResolvePolicies")
async def resolve_policies(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Leave out policies that do not exist; policies of another account are found, too."""
    found = {arn: await managed.find_anywhere(tx, arn) for arn in params["Arns"]}
    return {"Policies": {arn: policy.document for arn, policy in found.items() if policy is not None}}


@service.operation("ResolveServerCertificate")
async def resolve_server_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Return a server certificate with its private key."""
    found = await SERVER_CERTIFICATES.get_named(ctx, tx, params)
    key = ctx.block.cloud.vault.decrypt(found.private_key, found.secret_place)
    return {
        "Arn": found.arn,
        "Certificate": found.body,
        "CertificateChain": found.chain,
        "PrivateKey": key.decode(),
    }


@service.operation("RecordUse")
async def record_use(ctx: Context, tx: Transaction, params: Params) -> Result:
    for each in params["Uses"]:
        use = Use(each["At"], each.get("Service", ""), each.get("Region", ""))
        key = await access_keys.find(tx, each.get("AccessKeyId", ""))
        if key is not None:
            await uses.note_key(tx, key, use)
        identity = await principals.find(tx, each.get("Arn", ""))
        if identity is not None:
            await uses.note_identity(tx, identity, use)
    return {}
