"""The operations on DNSSEC signing and key-signing keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.route53 import dnssec_keys, limits, record_sets, signatures, zones
from cloudlet.services.route53.block import service
from cloudlet.services.route53.dnssec_keys import ACTIVE, INACTIVE
from cloudlet.services.route53.dnssec_record import KeySigningKey, ZoneSigning
from cloudlet.services.route53.errors import InvalidInput
from cloudlet.services.route53.zone_record import Zone
from cloudlet.services.route53.zones import ZONES, get_zone

_NAME: Final = re.compile(r"[0-9A-Za-z_]{3,128}")


class NoSuchKeySigningKey(AwsError):
    def __init__(self, name: str) -> None:
        super().__init__("NoSuchKeySigningKey", f"The specified key-signing key (KSK) {name} doesn't exist.")


class ConcurrentModification(AwsError):
    def __init__(self) -> None:
        super().__init__("ConcurrentModification", "Another user submitted a request to update the object. Try again.")


@service.direct("CreateKeySigningKey")
async def create_key_signing_key(ctx: Context, params: Params) -> Result:
    name, arn, status = params["Name"], params["KeyManagementServiceArn"], params["Status"]
    if _NAME.fullmatch(name) is None:
        raise AwsError(
            "InvalidKeySigningKeyName",
            "The key-signing key (KSK) name that you specified isn't a valid name: it has 3 to 128 letters, "
            "digits and _.",
        )
    if status not in (ACTIVE, INACTIVE):
        raise AwsError("InvalidKeySigningKeyStatus", f"The status {status} isn't valid: it is ACTIVE or INACTIVE.")
    zone, signing = await ctx.transact(lambda tx: _load(ctx, tx, params["HostedZoneId"]))
    public = await dnssec_keys.load_public_key(ctx.block, ctx.account, arn)
    if any(key.name == name for key in signing.keys):
        raise AwsError("KeySigningKeyAlreadyExists", f"There is already a key-signing key with the name {name}.")
    if len(signing.keys) >= limits.MAX_KEY_SIGNING_KEYS:
        raise AwsError(
            "TooManyKeySigningKeys", f"A hosted zone has at most {limits.MAX_KEY_SIGNING_KEYS} key-signing keys."
        )
    now = ctx.now()
    key = KeySigningKey(name, params["CallerReference"], arn, status, public, now, now)
    changed = replace(signing, keys=(*signing.keys, key))
    if not changed.zone_key:
        private, public_key = dnssec_keys.make_zone_key(ctx.block, zone.name)
        changed = replace(changed, zone_key=private, zone_public_key=public_key)
    change = await _save(ctx, signing, changed)
    return {
        "ChangeInfo": change,
        "KeySigningKey": _describe(changed, key),
        "Location": f"https://route53.amazonaws.com/2013-04-01/keysigningkey/{zone.name}/{name}",
    }


async def _load(ctx: Context, tx: Transaction, given: str) -> tuple[Zone, ZoneSigning]:
    """Return a public zone and what it is signed with. Raises AwsError."""
    zone = await get_zone(ctx, tx, given)
    if zone.is_private:
        raise InvalidInput("DNSSEC signing is not available for private hosted zones.")
    found = await dnssec_keys.find(tx, zone.name)
    return zone, found or ZoneSigning(ctx.account, zone.name, zone.domain)


async def _save(ctx: Context, before: ZoneSigning, after: ZoneSigning) -> dict[str, Any]:
    """Write a zone's keys with new signatures, unless somebody else has changed them."""
    signed = await dnssec_keys.sign_keys(ctx.block, after) if after.is_signing else after

    async def body(tx: Transaction) -> dict[str, Any]:
        zone, found = await _load(ctx, tx, before.zone)
        if found != before:
            raise ConcurrentModification
        dnssec_keys.save(tx, signed)
        if zone.signs != signed.is_signing:
            ZONES.save(tx, replace(zone, signs=signed.is_signing))
        return zones.begin_change(ctx, tx)

    return await ctx.transact(body)


async def _change_key(
    ctx: Context, params: Params, check: Callable[[ZoneSigning, KeySigningKey], None], status: str | None
) -> dict[str, Any]:
    """Give a key another status, or delete it, after a check; return the answer."""
    _, signing = await ctx.transact(lambda tx: _load(ctx, tx, params["HostedZoneId"]))
    key = next((each for each in signing.keys if each.name == params["Name"]), None)
    if key is None:
        raise NoSuchKeySigningKey(params["Name"])
    check(signing, key)
    others = [each for each in signing.keys if each != key]
    kept = [] if status is None else [replace(key, status=status, modified=ctx.now())]
    ordered = sorted((*others, *kept), key=lambda each: (each.created, each.name))
    return {"ChangeInfo": await _save(ctx, signing, replace(signing, keys=tuple(ordered)))}


def _check_nothing(signing: ZoneSigning, key: KeySigningKey) -> None:
    """Allow all."""


def _check_other_active(signing: ZoneSigning, key: KeySigningKey) -> None:
    if signing.is_signing and not any(each.status == ACTIVE and each != key for each in signing.keys):
        raise AwsError(
            "KeySigningKeyInUse",
            "The key-signing key (KSK) that you specified can't be deactivated because it's the only KSK for a "
            "currently-enabled DNSSEC. Disable DNSSEC signing, or add or enable another KSK.",
        )


def _check_inactive(signing: ZoneSigning, key: KeySigningKey) -> None:
    if key.status == ACTIVE:
        raise AwsError(
            "InvalidKeySigningKeyStatus",
            "The key-signing key (KSK) status isn't valid or another KSK has the status INTERNAL_FAILURE: "
            "deactivate it "
            "before you delete it.",
        )


@service.direct("ActivateKeySigningKey")
async def activate_key_signing_key(ctx: Context, params: Params) -> Result:
    return await _change_key(ctx, params, _check_nothing, ACTIVE)


@service.direct("DeactivateKeySigningKey")
async def deactivate_key_signing_key(ctx: Context, params: Params) -> Result:
    return await _change_key(ctx, params, _check_other_active, INACTIVE)


@service.direct("DeleteKeySigningKey")
async def delete_key_signing_key(ctx: Context, params: Params) -> Result:
    return await _change_key(ctx, params, _check_inactive, None)


@service.direct("EnableHostedZoneDNSSEC")
async def enable_hosted_zone_dnssec(ctx: Context, params: Params) -> Result:
    _, signing = await ctx.transact(lambda tx: _load(ctx, tx, params["HostedZoneId"]))
    if not any(key.status == ACTIVE for key in signing.keys):
        raise AwsError(
            "KeySigningKeyWithActiveStatusNotFound",
            "A key-signing key (KSK) with ACTIVE status wasn't found.",
        )
    return {"ChangeInfo": await _save(ctx, signing, replace(signing, is_signing=True))}


@service.direct("DisableHostedZoneDNSSEC")
async def disable_hosted_zone_dnssec(ctx: Context, params: Params) -> Result:
    _, signing = await ctx.transact(lambda tx: _load(ctx, tx, params["HostedZoneId"]))
    if not signing.is_signing:
        raise AwsError("DNSSECNotFound", "The hosted zone doesn't have any DNSSEC resources.")
    return {"ChangeInfo": await _save(ctx, signing, replace(signing, is_signing=False, signatures=()))}


@service.operation("GetDNSSEC")
async def get_dnssec(ctx: Context, tx: Transaction, params: Params) -> Result:
    zone = await get_zone(ctx, tx, params["HostedZoneId"])
    found = await dnssec_keys.find(tx, record_sets.to_id(zone.name))
    keys = [] if found is None else [_describe(found, key) for key in found.keys]
    return {"Status": {"ServeSignature": "SIGNING" if zone.signs else "NOT_SIGNING"}, "KeySigningKeys": keys}


def _describe(signing: ZoneSigning, key: KeySigningKey) -> dict[str, Any]:
    """Return a key as the API has it."""
    ds = dnssec_keys.make_ds(signing.domain, key.public_key)
    return {
        "Name": key.name,
        "KmsArn": key.kms_arn,
        "Flag": signatures.KEY_SIGNING,
        "SigningAlgorithmMnemonic": "ECDSAP256SHA256",
        "SigningAlgorithmType": signatures.ALGORITHM,
        "DigestAlgorithmMnemonic": "SHA-256",
        "DigestAlgorithmType": 2,
        "KeyTag": dnssec_keys.get_key_tag(key.public_key),
        "DigestValue": ds.rpartition(" ")[2],
        "PublicKey": key.public_key,
        "DSRecord": ds,
        "DNSKEYRecord": f"{signatures.KEY_SIGNING} 3 {signatures.ALGORITHM} {key.public_key}",
        "Status": key.status,
        "CreatedDate": key.created,
        "LastModifiedDate": key.modified,
    }
