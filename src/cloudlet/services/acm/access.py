"""Permissions of operations with condition keys about domains and issuing.

User guide, "Use condition keys with ACM"; Service Authorization Reference, "AWS Certificate Manager".
"""

from __future__ import annotations

from cloudlet.core import Context, Params, Transaction
from cloudlet.core.authorization import catalog, resource_policy
from cloudlet.core.authorization.condition_keys import Keys, list_request_keys
from cloudlet.core.aws import tags
from cloudlet.core.aws.arn import Arn, partition_of
from cloudlet.services.acm import certificate, domain_names
from cloudlet.services.acm.certificate_record import Certificate


def authorize_request(ctx: Context, params: Params) -> None:
    """Raise AwsError unless the caller may request a certificate."""
    options = params.get("Options") or {}

    def make_keys() -> Keys:
        method = params.get("ValidationMethod") or options.get("ValidationMethod")
        authority = params.get("CertificateAuthorityArn")
        names = domain_names.gather(params["DomainName"], params.get("SubjectAlternativeNames") or ())
        requested = list_request_keys(catalog.find("acm", "RequestCertificate"), params)
        # The certificate has these tags from its begin.
        own = {key.replace(":Request", ":Resource"): each for key, each in requested.items() if ":RequestTag/" in key}
        return {
            **requested,
            **own,
            **({} if method is None else {"acm:ValidationMethod": method}),
            **({} if authority is None else {"acm:CertificateAuthority": authority}),
            "acm:DomainNames": list(names),
            "acm:KeyAlgorithm": params.get("KeyAlgorithm") or "RSA_2048",
            "acm:CertificateTransparencyLogging": options.get("CertificateTransparencyLoggingPreference", "ENABLED"),
            "acm:Export": options.get("Export", "DISABLED"),
        }

    if ctx.strict:
        arn = str(Arn(partition_of(ctx.region), "acm", ctx.region, ctx.account, "certificate/*"))
        resource_policy.authorize(ctx, "acm:RequestCertificate", arn, ctx.account, None, make_keys)


async def get(ctx: Context, tx: Transaction, arn: str, operation: str) -> Certificate:
    """Return a certificate of the caller's, who may do an operation to it. Raises AwsError."""
    if ctx.strict:
        account, region, name = certificate.parse_arn(arn)
        found = await certificate.find(tx, account, region, name)
        known = await tags.load(tx, arn)

        def make_keys() -> Keys:
            stored: Keys = {f"aws:ResourceTag/{key}": value for key, value in known.items()}
            return stored if found is None else {**stored, "acm:DomainNames": list(found.domains)}

        resource_policy.authorize(ctx, f"acm:{operation}", arn, account, None, make_keys)
    return await certificate.get(ctx, tx, arn)
