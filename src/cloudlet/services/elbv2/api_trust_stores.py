"""The operations on trust stores."""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.listing import list_page
from cloudlet.services.elbv2 import arns, forwarding, limits, storing, tagging, trust_files
from cloudlet.services.elbv2.block import service
from cloudlet.services.elbv2.errors import QuotaExcess, RevocationNotFound, TrustStoreNotFound, ValidationError
from cloudlet.services.elbv2.paging import show_page
from cloudlet.services.elbv2.storing import TRUST_STORES, get_trust_store
from cloudlet.services.elbv2.trust_store_record import Revocation, TrustStore


async def _load_bundle(ctx: Context, params: Params) -> tuple[str, int]:
    """Return the authorities of a request, and how many they are. Raises AwsError."""
    bucket, key = params["CaCertificatesBundleS3Bucket"], params["CaCertificatesBundleS3Key"]
    absent = AwsError(
        "CaCertificatesBundleNotFoundException", f"The ca certificate bundle 's3://{bucket}/{key}' does not exist"
    )
    large = trust_files.InvalidBundle("The specified ca certificate bundle is too large.")
    version = params.get("CaCertificatesBundleS3ObjectVersion")
    content = await trust_files.load(ctx, bucket, key, version, absent, large)
    return await trust_files.parse_bundle(ctx, content)


@service.direct("CreateTrustStore")
async def create_trust_store(ctx: Context, params: Params) -> FinalTransaction:
    title = params["Name"]
    made_tags = tagging.read_new(params.get("Tags"))
    bundle, count = await _load_bundle(ctx, params)

    async def create(tx: Transaction) -> Result:
        if await storing.find_title(tx, arns.TRUST_STORE, ctx.account, ctx.region, title) is not None:
            text = f"A trust store with the same name '{title}' exists"
            raise AwsError("DuplicateTrustStoreNameException", text)
        if await storing.count_records(tx, TRUST_STORES, ctx, limits.MAX_TRUST_STORES) >= limits.MAX_TRUST_STORES:
            text = f"The maximum number of trust stores has been reached: '{limits.MAX_TRUST_STORES}'"
            raise QuotaExcess("TooManyTrustStoresException", text)
        made = TrustStore(
            account=ctx.account,
            region=ctx.region,
            name=f"{title}/{arns.make_id()}",
            bundle=bundle,
            authorities=count,
        )
        TRUST_STORES.save(tx, made)
        tx.put(storing.TITLES.key(arns.TRUST_STORE, ctx.account, ctx.region, title), made.name.encode())
        tags.save(tx, made.arn, made_tags)
        return {"TrustStores": [to_api(made)]}

    return FinalTransaction(create)


def to_api(found: TrustStore) -> dict[str, Any]:
    """Return a trust store as the API has it."""
    return {
        "Name": found.title,
        "TrustStoreArn": found.arn,
        "Status": "ACTIVE",
        "NumberOfCaCertificates": found.authorities,
        "TotalRevokedEntries": sum(each.entries for each in found.revocations),
    }


@service.direct("ModifyTrustStore")
async def modify_trust_store(ctx: Context, params: Params) -> FinalTransaction:
    arn = params["TrustStoreArn"]
    await ctx.transact(lambda tx: get_trust_store(ctx, tx, arn))
    bundle, count = await _load_bundle(ctx, params)

    async def change(tx: Transaction) -> Result:
        changed = replace(await get_trust_store(ctx, tx, arn), bundle=bundle, authorities=count)
        await _save(tx, changed)
        return {"TrustStores": [to_api(changed)]}

    return FinalTransaction(change)


async def _save(tx: Transaction, changed: TrustStore) -> None:
    """Write a trust store, and have those served anew who use it."""
    TRUST_STORES.save(tx, changed)
    for name in await storing.list_users(tx, changed.arn):
        listener = await storing.LISTENERS.find(tx, changed.account, changed.region, name)
        if listener is not None:
            await forwarding.request_served(tx, listener)


@service.operation("DescribeTrustStores")
async def describe_trust_stores(ctx: Context, tx: Transaction, params: Params) -> Result:
    names, titles = params.get("TrustStoreArns"), params.get("Names")
    if names and titles:
        raise ValidationError("Trust store names and trust store ARNs cannot be specified at the same time")
    if names:
        return {"TrustStores": [to_api(await get_trust_store(ctx, tx, each)) for each in dict.fromkeys(names)]}
    if titles:
        return {"TrustStores": [to_api(await _get_titled(ctx, tx, each)) for each in dict.fromkeys(titles)]}
    space, size = TRUST_STORES.get_space(ctx.account, ctx.region), params.get("PageSize", limits.PAGE_SIZE)
    wrong = ValidationError("The specified marker is not valid")
    page, marker = await list_page(tx, space, params.get("Marker"), size, TRUST_STORES.decode, wrong)
    return {"TrustStores": [to_api(each) for each in page], "NextMarker": marker}


async def _get_titled(ctx: Context, tx: Transaction, title: str) -> TrustStore:
    name = await storing.find_title(tx, arns.TRUST_STORE, ctx.account, ctx.region, title)
    if name is None:
        raise TrustStoreNotFound(title)
    return await TRUST_STORES.get(tx, ctx.account, ctx.region, name)


@service.operation("DeleteTrustStore")
async def delete_trust_store(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_trust_store(ctx, tx, params["TrustStoreArn"])
    if await storing.list_users(tx, found.arn):
        text = f"Trust store '{found.arn}' is currently in use by a listener"
        raise AwsError("TrustStoreInUseException", text)
    for each in found.revocations:
        tx.delete(storing.REVOCATION_FILES.key(found.account, found.region, found.name, each.id))
    tx.delete(storing.TITLES.key(arns.TRUST_STORE, ctx.account, ctx.region, found.title))
    tags.save(tx, found.arn, {})
    TRUST_STORES.remove(tx, found)
    return {}


@service.direct("AddTrustStoreRevocations")
async def add_trust_store_revocations(ctx: Context, params: Params) -> FinalTransaction:
    arn = params["TrustStoreArn"]
    await ctx.transact(lambda tx: get_trust_store(ctx, tx, arn))
    given = params.get("RevocationContents") or ()
    if not given:
        raise ValidationError("A revocation file must be specified")
    files = [await _load_revocations(ctx, each) for each in given]

    async def add(tx: Transaction) -> Result:
        found = await get_trust_store(ctx, tx, arn)
        made = [
            Revocation(found.last_revocation + number, entries) for number, (_, entries) in enumerate(files, start=1)
        ]
        changed = replace(
            found,
            revocations=(*found.revocations, *made),
            last_revocation=found.last_revocation + len(made),
        )
        if sum(each.entries for each in changed.revocations) > limits.MAX_REVOKED_ENTRIES:
            raise _make_excess(arn)
        for each, (content, _) in zip(made, files, strict=True):
            tx.put(storing.REVOCATION_FILES.key(found.account, found.region, found.name, each.id), content)
        await _save(tx, changed)
        return {"TrustStoreRevocations": [_show_revocation(changed, each) for each in made]}

    return FinalTransaction(add)


async def _load_revocations(ctx: Context, given: dict[str, Any]) -> tuple[bytes, int]:
    bucket, key = given.get("S3Bucket", ""), given.get("S3Key", "")
    if not re.search(r"\S", bucket) or not key:
        raise ValidationError("An S3 bucket and an S3 key must be specified for a revocation file")
    if given.get("RevocationType", "CRL") != "CRL":
        raise ValidationError(f"Revocation type '{given['RevocationType']}' must be 'CRL'")
    absent = AwsError("RevocationContentNotFoundException", f"The revocation file 's3://{bucket}/{key}' does not exist")
    content = await trust_files.load(ctx, bucket, key, given.get("S3ObjectVersion"), absent, _make_excess(key))
    return await trust_files.parse_revocations(ctx, content)


def _make_excess(where: str) -> QuotaExcess:
    text = f"The specified trust store has too many revocation entries: '{where}'"
    return QuotaExcess("TooManyTrustStoreRevocationEntriesException", text)


def _show_revocation(store: TrustStore, found: Revocation) -> dict[str, Any]:
    return {
        "TrustStoreArn": store.arn,
        "RevocationId": found.id,
        "RevocationType": found.type,
        "NumberOfRevokedEntries": found.entries,
    }


def _get_revocation(store: TrustStore, revocation: int) -> Revocation:
    found = next((each for each in store.revocations if each.id == revocation), None)
    if found is None:
        raise RevocationNotFound(revocation)
    return found


@service.operation("DescribeTrustStoreRevocations")
async def describe_trust_store_revocations(ctx: Context, tx: Transaction, params: Params) -> Result:
    store = await get_trust_store(ctx, tx, params["TrustStoreArn"])
    names = params.get("RevocationIds")
    found = [_get_revocation(store, each) for each in names] if names else store.revocations
    shown = [_show_revocation(store, each) for each in found]
    return show_page("TrustStoreRevocations", shown, params.get("Marker"), params.get("PageSize"))


@service.operation("RemoveTrustStoreRevocations")
async def remove_trust_store_revocations(ctx: Context, tx: Transaction, params: Params) -> Result:
    store = await get_trust_store(ctx, tx, params["TrustStoreArn"])
    gone = {_get_revocation(store, each).id for each in params["RevocationIds"]}
    for each in gone:
        tx.delete(storing.REVOCATION_FILES.key(store.account, store.region, store.name, each))
    await _save(tx, replace(store, revocations=tuple(each for each in store.revocations if each.id not in gone)))
    return {}


@service.operation("GetTrustStoreCaCertificatesBundle")
async def get_trust_store_ca_certificates_bundle(ctx: Context, tx: Transaction, params: Params) -> Result:
    store = await get_trust_store(ctx, tx, params["TrustStoreArn"])
    return {"Location": trust_files.make_location(ctx, store.name)}


@service.operation("GetTrustStoreRevocationContent")
async def get_trust_store_revocation_content(ctx: Context, tx: Transaction, params: Params) -> Result:
    store = await get_trust_store(ctx, tx, params["TrustStoreArn"])
    found = _get_revocation(store, params["RevocationId"])
    return {"Location": trust_files.make_location(ctx, store.name, found.id)}


async def _list_associations(tx: Transaction, store: TrustStore) -> list[str]:
    """Return the ARNs of the load balancers that use a trust store."""
    names = await storing.list_using_load_balancers(tx, store.arn)
    return [arns.make_arn(arns.LOAD_BALANCER, store.account, store.region, name) for name in names]


@service.operation("DescribeTrustStoreAssociations")
async def describe_trust_store_associations(ctx: Context, tx: Transaction, params: Params) -> Result:
    store = await get_trust_store(ctx, tx, params["TrustStoreArn"])
    shown = [{"ResourceArn": arn} for arn in await _list_associations(tx, store)]
    return show_page("TrustStoreAssociations", shown, params.get("Marker"), params.get("PageSize"))


@service.operation("DeleteSharedTrustStoreAssociation")
async def delete_shared_trust_store_association(ctx: Context, tx: Transaction, params: Params) -> Result:
    store = await get_trust_store(ctx, tx, params["TrustStoreArn"])
    resource = params["ResourceArn"]
    if resource in await _list_associations(tx, store):
        text = f"The association of '{resource}' can't be within the same account"
        raise AwsError("DeleteAssociationSameAccountException", text)
    text = f"The association of trust store '{store.arn}' with '{resource}' does not exist"
    raise AwsError("TrustStoreAssociationNotFoundException", text)


@service.operation("GetResourcePolicy")
async def get_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    # Policies come with AWS Resource Access Manager, which Cloudlet has not.
    text = f"The resource policy of '{params['ResourceArn']}' does not exist"
    raise AwsError("ResourceNotFoundException", text)
