"""The certificates of listeners, which AWS Certificate Manager and IAM have."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from cloudlet.core import AwsError, Context
from cloudlet.core.aws.arn import Arn
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.services.elbv2.errors import CertificateNotFound, ValidationError

_IAM_KIND: Final = "server-certificate/"


class UnsupportedCertificate(AwsError):
    def __init__(self, arn: str) -> None:
        text = (
            f"The certificate '{arn}' must have a fully-qualified domain name, a supported signature, "
            "and a supported key size."
        )
        super().__init__("UnsupportedCertificate", text, status=400)


class Material(NamedTuple):
    """A certificate with its private key, in PEM."""

    chain: str
    key: str


async def check(ctx: Context, arn: str) -> None:
    """Raise AwsError unless listeners may have a certificate."""
    if await find_material(ctx.block, ctx.account, ctx.region, arn) is None:
        raise UnsupportedCertificate(arn)


async def find_material(block: Block, account: str, region: str, arn: str) -> Material | None:
    """Return a certificate; None for one that is not issued. Raises CertificateNotFound."""
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        raise ValidationError(f"Certificate ARN '{arn}' is not valid") from None
    is_known = parsed.account == account and parsed.service in ("acm", "iam")
    if not is_known or not block.cloud.has(parsed.service):
        raise CertificateNotFound(arn)
    try:
        if parsed.service == "iam":
            name = parsed.resource.removeprefix(_IAM_KIND).rpartition("/")[2]
            given: dict[str, Any] = {"ServerCertificateName": name}
            found = await block.call("iam", "ResolveServerCertificate", given, account=account, region=region) or {}
            if found["Arn"] != arn:
                raise CertificateNotFound(arn)
        else:
            if parsed.region != region:
                raise CertificateNotFound(arn)
            given = {"CertificateArn": arn}
            found = await block.call("acm", "ResolveCertificate", given, account=account, region=region) or {}
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        raise CertificateNotFound(arn) from None
    if "PrivateKey" not in found:
        return None
    chain = "\n".join(part.strip() for part in (found["Certificate"], found.get("CertificateChain") or "") if part)
    return Material(chain + "\n", found["PrivateKey"])
