"""The operations on the tags of certificates."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.acm import certificate, tagging
from cloudlet.services.acm.block import service


@service.operation("AddTagsToCertificate")
async def add_tags_to_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = (await certificate.get(ctx, tx, params["CertificateArn"])).arn
    tags.save(tx, arn, tagging.merge(await tags.load(tx, arn), params["Tags"]))
    return {}


@service.operation("RemoveTagsFromCertificate")
async def remove_tags_from_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Remove tags by their keys; where a value is given, only if they have it."""
    arn = (await certificate.get(ctx, tx, params["CertificateArn"])).arn
    known = await tags.load(tx, arn)
    removed = [tag["Key"] for tag in params["Tags"] if tag.get("Value") in (None, known.get(tag["Key"]))]
    tags.save(tx, arn, tags.remove(known, removed))
    return {}


@service.operation("ListTagsForCertificate")
async def list_tags_for_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await certificate.get(ctx, tx, params["CertificateArn"])
    return {"Tags": tags.to_list(await tags.load(tx, found.arn))}
