"""The operations that request certificates, show them and change them."""

from __future__ import annotations

from hashlib import sha256

import msgspec
from msgspec.structs import replace

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.kernel import ids
from cloudlet.services.acm import (
    access,
    certificate,
    describing,
    domain_names,
    errors,
    events,
    idempotency,
    issuing,
    states,
    tagging,
    timers,
    validation,
)
from cloudlet.services.acm.block import service
from cloudlet.services.acm.certificate_record import Certificate
from cloudlet.services.acm.errors import ValidationError

_KEY_ALGORITHMS = ("RSA_2048", "EC_prime256v1", "EC_secp384r1")
"""Of certificates that are requested (user guide, "AWS Certificate Manager public certificates")."""
_ECS = "ecs.amazonaws.com"
"""The service that requests certificates for names in a zone of its own."""


@service.direct("RequestCertificate")
async def request_certificate(ctx: Context, params: Params) -> FinalTransaction:
    access.authorize_request(ctx, params)
    wanted = _make_request(ctx, params)
    given = tagging.merge({}, params.get("Tags"))
    token = params.get("IdempotencyToken")
    request = sha256(msgspec.json.encode(params, order="sorted")).hexdigest()
    known = None
    if token:
        known = await ctx.transact(lambda tx: idempotency.find_result(ctx, tx, token, request))
    made = None
    if ctx.principal.assumed_by == _ECS and all(map(validation.is_of_ecs, wanted.domains)):
        wanted = replace(wanted, validated=wanted.domains)
        if known is None:
            made = await issuing.make(ctx.block, wanted)
    elif known is None and wanted.status == states.PENDING_VALIDATION and not validation.needs_records(ctx.block):
        wanted = replace(wanted, validated=await validation.list_validated(ctx.block, wanted))
        made = await issuing.make(ctx.block, wanted)

    async def body(tx: Transaction) -> Result:
        before = await idempotency.find_result(ctx, tx, token, request) if token else None
        if before is not None:
            return {"CertificateArn": before}
        await certificate.add(tx, wanted)
        if made is not None:
            issued, material = issuing.to_issued(ctx.block, wanted, made, ctx.now())
            issuing.save(tx, issued, material)
            events.tell_available(tx, issued, "ISSUANCE", ctx.now())
        tags.save(tx, wanted.arn, given)
        if token:
            await idempotency.keep_result(ctx, tx, token, request, wanted.arn)
        return {"CertificateArn": wanted.arn}

    return FinalTransaction(body)


def _make_request(ctx: Context, params: Params) -> Certificate:
    """Return the certificate that a request asks for, which is not issued yet. Raises AwsError."""
    _check_built(params)
    options = params.get("Options") or {}
    names = domain_names.gather(params["DomainName"], params.get("SubjectAlternativeNames") or ())
    domains = {}
    for option in params.get("DomainValidationOptions") or ():
        name, domain = option["DomainName"].lower(), option["ValidationDomain"].lower()
        if name not in names or not domain_names.is_within(name, domain):
            raise errors.InvalidDomainValidationOptions(
                f"The validation domain {domain} of {name} has to be that name or a superdomain of it."
            )
        domains[name] = domain
    wanted = Certificate(
        ctx.account,
        ctx.region,
        ids.uuid4(),
        "AMAZON_ISSUED",
        states.PENDING_VALIDATION,
        ctx.now(),
        names[0],
        names,
        params.get("KeyAlgorithm") or "RSA_2048",
        domains,
        is_exportable=options.get("Export") == "ENABLED",
        logs_transparency=options.get("CertificateTransparencyLoggingPreference") != "DISABLED",
    )
    if any(map(domain_names.is_amazons, names)):
        return states.move(wanted, states.FAILED, failure_reason="ADDITIONAL_VERIFICATION_REQUIRED")
    return wanted


def _check_built(params: Params) -> None:
    """Raise AwsError for what Cloudlet has not, and AWS neither."""
    if params.get("CertificateUsage") and not params.get("RootHierarchyType"):
        raise ValidationError("CertificateUsage can be specified only with RootHierarchyType.")
    for member, what in (
        ("CertificateAuthorityArn", "private certificate authorities"),
        ("RootHierarchyType", "Amazon N2 certificates"),
        ("ManagedBy", "certificates that CloudFront manages"),
    ):
        if params.get(member):
            raise errors.NotBuilt(what)
    given = (params.get("ValidationMethod"), (params.get("Options") or {}).get("ValidationMethod"))
    methods = {method for method in given if method is not None}
    if methods != {validation.METHOD}:
        raise ValidationError(
            f"Cloudlet validates domains by DNS alone, not by {' and '.join(sorted(methods - {'DNS'})) or 'EMAIL'}, "
            "which is what AWS does where no method is given: say ValidationMethod=DNS."
        )
    if (params.get("KeyAlgorithm") or "RSA_2048") not in _KEY_ALGORITHMS:
        raise ValidationError(
            f"The key algorithm {params['KeyAlgorithm']} is not supported for certificates that ACM issues: it is one "
            f"of {', '.join(_KEY_ALGORITHMS)}."
        )


@service.operation("DescribeCertificate")
async def describe_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"Certificate": describing.describe(await certificate.get(ctx, tx, params["CertificateArn"]))}


@service.operation("GetCertificate")
async def get_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get_issued(ctx, tx, params["CertificateArn"])
    material = await certificate.find_material(tx, found.arn)
    if material is None:
        raise errors.RequestInProgress(found.arn)
    return {"Certificate": material.body, "CertificateChain": material.chain or None}


@service.operation("DeleteCertificate")
async def delete_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await certificate.get(ctx, tx, params["CertificateArn"])
    if found.used_by:
        raise errors.CertificateInUse(found.arn, found.account)
    certificate.remove(tx, found)
    return {}


@service.direct("RenewCertificate")
async def renew_certificate(ctx: Context, params: Params) -> Result:
    found = await ctx.transact(lambda tx: _get_issued(ctx, tx, params["CertificateArn"]))
    if found.status != states.ISSUED or found.is_imported or not found.exported:
        raise ValidationError(f"Certificate {found.arn} cannot be renewed: only those that were exported can.")
    await issuing.renew(ctx.block, found)
    return {}


@service.operation("RevokeCertificate")
async def revoke_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    await access.get(ctx, tx, params["CertificateArn"], "RevokeCertificate")
    found = await _get_issued(ctx, tx, params["CertificateArn"])
    if found.used_by:
        raise errors.CertificateInUse(found.arn, found.account)
    if found.status == states.REVOKED:
        raise AwsError("ConflictException", f"Certificate {found.arn} is already revoked.")
    if found.status != states.ISSUED or found.is_imported or not found.exported:
        raise ValidationError(f"Certificate {found.arn} cannot be revoked: only those that were exported can.")
    reason, now = params["RevocationReason"], ctx.now()
    revoked = states.move(timers.cancel(tx, found), states.REVOKED, revoked=now, revocation_reason=reason)
    certificate.save(tx, revoked)
    events.tell_revoked(tx, revoked, now)
    return {"CertificateArn": revoked.arn}


@service.operation("ResendValidationEmail")
async def resend_validation_email(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Refuse to send a mail, as AWS does for certificates that are validated by DNS."""
    found = await certificate.get(ctx, tx, params["CertificateArn"])
    name, domain = params["Domain"].lower(), params["ValidationDomain"].lower()
    if name not in found.domains or not domain_names.is_within(name, domain):
        raise errors.InvalidDomainValidationOptions(
            f"The validation domain {domain} of {name} has to be that name or a superdomain of it."
        )
    raise errors.InvalidState(f"Certificate {found.arn} is not validated by email.")


@service.operation("UpdateCertificateOptions")
async def update_certificate_options(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await certificate.get(ctx, tx, params["CertificateArn"])
    options = params["Options"]
    if found.is_imported:
        raise ValidationError(f"Certificate {found.arn} was imported: it has no options.")
    if found.status != states.ISSUED:
        raise errors.InvalidState(f"Certificate {found.arn} is {found.status}: its options cannot be changed.")
    if options.get("Export", describing.describe_export(found)) != describing.describe_export(found):
        raise ValidationError("The Export option cannot be changed after the certificate was created.")
    if options.get("ValidationMethod") == validation.METHOD:
        raise errors.InvalidState(f"Certificate {found.arn} is validated by DNS already.")
    if options.get("ValidationMethod"):
        raise ValidationError("The validation method can be changed to DNS only.")
    preference = options.get("CertificateTransparencyLoggingPreference")
    if preference:
        certificate.save(tx, replace(found, logs_transparency=preference == "ENABLED"))
    return {}


async def _get_issued(ctx: Context, tx: Transaction, arn: str) -> Certificate:
    """Return a certificate of the caller's that was issued. Raises AwsError."""
    found = await certificate.get(ctx, tx, arn)
    if not describing.is_issued(found):
        raise errors.RequestInProgress(found.arn)
    return found
