"""The operations by which other blocks get certificates, and tell that they use them."""

from __future__ import annotations

from hashlib import sha256

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.acm import certificate
from cloudlet.services.acm.block import service


@service.operation("ResolveCertificate")
async def resolve_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Return a certificate with its private key; one that is not issued yet without these."""
    found = await certificate.get(ctx, tx, params["CertificateArn"])
    material = await certificate.find_material(tx, found.arn)
    known = {"Status": found.status, "DomainNames": list(found.domains)}
    if material is None:
        return known
    version = sha256(material.body.encode()).hexdigest()
    if version == params.get("KnownVersion"):
        return {**known, "Version": version}
    key = certificate.decrypt_key(ctx.block, found.arn, material)
    return {
        **known,
        "Version": version,
        "Certificate": material.body,
        "CertificateChain": material.chain,
        "PrivateKey": key.decode(),
    }


@service.operation("SetCertificateUse")
async def set_certificate_use(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await certificate.get(ctx, tx, params["CertificateArn"])
    resource = params["ResourceArn"]
    others = tuple(each for each in found.used_by if each != resource)
    certificate.save(tx, replace(found, used_by=(*others, resource) if params["InUse"] else others))
    return {}
