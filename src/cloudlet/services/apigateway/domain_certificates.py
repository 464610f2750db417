"""The certificates of custom domain names, which ACM has; the front door serves them."""

from __future__ import annotations

from cloudlet.core import AwsError, Context, Params, Result
from cloudlet.core.aws.arn import Arn
from cloudlet.core.background.jobs import run_leased_jobs
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.host.certificates import covers
from cloudlet.core.kernel.block import Block
from cloudlet.services.apigateway import certificate_use, domains, errors, tagging
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.certificate_use import Domain
from cloudlet.services.apigateway.documents import decode
from cloudlet.store import Transaction

_EDGE_REGION = "us-east-1"
"""The region of CloudFront's certificates."""


async def check(ctx: Context, name: str, arn: str, *, is_edge: bool = False) -> None:
    """Raise AwsError unless a domain name may have a certificate. While ACM is away, it may have any."""
    if not ctx.block.cloud.has("acm"):
        return
    region = _EDGE_REGION if is_edge else ctx.region
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        raise errors.bad_request(f"Invalid certificate ARN: {arn}") from None
    if parsed.service == "acm" and parsed.region != region:
        raise errors.bad_request(f"Invalid certificate ARN: {arn}. Certificate must be in '{region}'.")
    try:
        asked = {"CertificateArn": arn}
        found = await ctx.block.call("acm", "ResolveCertificate", asked, account=ctx.account, region=region) or {}
    except AwsError as error:
        if is_transient(error.code, error.status):
            return
        raise errors.bad_request("The provided certificate does not exist.") from error
    if found["Status"] != "ISSUED":
        raise errors.bad_request(f"The provided certificate is not issued: it is {found['Status']}.")
    if not covers(found.get("DomainNames") or (), name):
        raise errors.bad_request("The domain name to be created is not covered by the provided certificate.")


@service.direct("ResolveServedCertificate")
async def resolve_served_certificate(ctx: Context, params: Params) -> Result:
    """Return the certificate of the domain name that answers for a host, if any."""
    found = await ctx.transact(lambda tx: domains.find_certificate(tx, params["Host"].lower()))
    if found is None or not ctx.block.cloud.has("acm"):
        return {}
    account, arn = found
    asked = {"CertificateArn": arn}
    if params.get("KnownVersion"):
        asked["KnownVersion"] = params["KnownVersion"]
    try:
        region = Arn.parse(arn).region
        answer = await ctx.block.call("acm", "ResolveCertificate", asked, account=account, region=region) or {}
    except ValueError:
        return {}
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        return {}
    served = ("Version", "Certificate", "CertificateChain", "PrivateKey")
    return {member: answer[member] for member in served if member in answer}


async def _find(tx: Transaction, domain: Domain) -> str | None:
    raw = await tx.get(domains.of_account(domain.account, domain.region).key(domain.name))
    if raw is None:
        return None
    arn: str = decode(raw)["DomainNameConfigurations"][0]["CertificateArn"]
    return arn


def _make_arn(domain: Domain) -> str:
    return tagging.arn(domain.region, f"domainnames/{domain.name}")


@service.job
async def report_use(block: Block) -> None:
    """Tell ACM which certificates are used."""
    await run_leased_jobs(block, tell=lambda own, lease: certificate_use.tell(own, lease, _find, _make_arn))
