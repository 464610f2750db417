"""The operations that import certificates and export them."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel import ids
from cloudlet.services.acm import access, certificate, describing, errors, events, states, tagging, timers
from cloudlet.services.acm.block import service
from cloudlet.services.acm.certificate_record import Certificate, Facts, Material
from cloudlet.services.acm.errors import ValidationError

_FORBIDDEN = b"#$%"


@service.direct("ImportCertificate")
async def import_certificate(ctx: Context, params: Params) -> FinalTransaction:
    from cloudlet.services.acm import importing

    arn = params.get("CertificateArn")
    if arn and params.get("Tags"):
        raise ValidationError("Tagging is not permitted on re-import.")
    given = tagging.merge({}, params.get("Tags"))
    body, key, chain = params["Certificate"], params["PrivateKey"], params.get("CertificateChain")
    imported = await run_in_worker(ctx.account, importing.check, body, key, chain, ctx.now())
    domains = importing.get_domains(imported.facts)
    id = ids.uuid4()

    async def transact(tx: Transaction) -> Result:
        now = ctx.now()
        if arn:
            before = await certificate.get(ctx, tx, arn)
            importing.check_again(before, imported.facts)
            saved = states.move(before, states.ISSUED, **_describe(imported.facts, domains, now))
        else:
            saved = _make(ctx, id, imported.facts, domains, now)
            await certificate.add(tx, saved)
            tags.save(tx, saved.arn, given)
        encrypted = certificate.encrypt_key(ctx.block, saved.arn, imported.key)
        certificate.save_material(tx, saved.arn, Material(imported.body, imported.chain, encrypted))
        certificate.save(tx, timers.schedule(tx, saved))
        events.tell_available(tx, saved, "REIMPORT" if arn else "IMPORT", now)
        return {"CertificateArn": saved.arn}

    return FinalTransaction(transact)


def _make(ctx: Context, id: str, facts: Facts, domains: tuple[str, ...], now: float) -> Certificate:
    """Return a certificate that is imported for the first time."""
    pending = Certificate(
        ctx.account,
        ctx.region,
        id,
        "IMPORTED",
        states.PENDING_VALIDATION,
        now,
        "",
        (),
        facts.key_algorithm,
    )
    return states.move(pending, states.ISSUED, **_describe(facts, domains, now))


def _describe(facts: Facts, domains: tuple[str, ...], now: float) -> dict[str, object]:
    """Return what of a certificate changes when it is imported."""
    return {"facts": facts, "domains": domains, "domain": domains[0] if domains else "", "imported": now}


@service.direct("ExportCertificate")
async def export_certificate(ctx: Context, params: Params) -> Result:
    await ctx.transact(lambda tx: access.get(ctx, tx, params["CertificateArn"], "ExportCertificate"))
    phrase: bytes = params["Passphrase"]
    if not phrase.isascii() or any(byte in phrase for byte in _FORBIDDEN):
        raise ValidationError("The passphrase may have any ASCII characters but #, $ and %.")

    async def body(tx: Transaction) -> Material:
        found = await certificate.get(ctx, tx, params["CertificateArn"])
        if found.is_imported or not found.is_exportable:
            raise ValidationError(f"Certificate {found.arn} cannot be exported: its Export option is not ENABLED.")
        material = await certificate.find_material(tx, found.arn)
        if material is None or not describing.is_issued(found):
            raise errors.RequestInProgress(found.arn)
        if found.status != states.ISSUED:
            raise ValidationError(f"Certificate {found.arn} is {found.status}: it cannot be exported.")
        certificate.save(tx, replace(found, exported=ctx.now()))
        return material

    material = await ctx.transact(body)
    key = certificate.decrypt_key(ctx.block, params["CertificateArn"], material)
    encrypted = await run_in_worker(ctx.account, _encrypt, key, phrase)
    return {"Certificate": material.body, "CertificateChain": material.chain, "PrivateKey": encrypted}


def _encrypt(key: bytes, phrase: bytes) -> str:
    """Return a private key under a passphrase, PKCS #8 in PEM."""
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    private = load_pem_private_key(key, None)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(phrase)).decode()
