"""Security policies, certificates, ALPN and the authentication of clients, which listeners for TLS have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.services.elbv2 import protocols, ssl_policies, storing
from cloudlet.services.elbv2.balancer_record import APPLICATION, LoadBalancer
from cloudlet.services.elbv2.errors import InvalidConfiguration, QuotaExcess, UnsupportedFeature, ValidationError
from cloudlet.services.elbv2.listener_record import Listener

_ALPN: Final = ("HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None")
_MODES: Final = {"application": ("off", "passthrough", "verify"), "network": ("off", "verify")}
_SECURE_MEMBERS: Final = {
    "Certificates": "Certificates",
    "SslPolicy": "SSL policies",
    "MutualAuthentication": "Mutual authentication",
}


def read_certificate(params: Params, protocol: str, known: str = "") -> str:
    """Return the ARN of the default certificate, "" for listeners that have none. Raises AwsError."""
    if protocol not in protocols.SECURE:
        for member, noun in _SECURE_MEMBERS.items():
            if params.get(member):
                raise ValidationError(f"{noun} cannot be specified for {protocol} listeners")
        return ""
    if any("IsDefault" in each for each in params.get("Certificates") or ()):
        raise ValidationError("IsDefault cannot be specified for a certificate")
    given = [each.get("CertificateArn", "") for each in params.get("Certificates") or ()]
    if len(given) > 1:
        text = f"Up to '1' certificate ARNs can be specified, but '{len(given)}' were specified"
        raise QuotaExcess("TooManyCertificatesException", text)
    certificate: str = (given or [known])[0]
    if not certificate:
        raise ValidationError(f"A certificate must be specified for {protocol} listeners")
    return certificate


def read_policy(params: Params, found: LoadBalancer, protocol: str, known: str = "") -> str:
    """Return the name of the security policy, "" for listeners that have none. Raises AwsError."""
    if protocol not in protocols.SECURE:
        return ""
    name = params.get("SslPolicy") or known or ssl_policies.DEFAULT
    policy = ssl_policies.POLICIES.get(name)
    if policy is None or found.type not in policy.types:
        raise AwsError("SSLPolicyNotFoundException", f"SSL policy '{name}' not found")
    return policy.name


def check_policies(listeners: Sequence[Listener], policy: str) -> None:
    """Raise InvalidConfiguration where listeners of a load balancer would have FIPS policies and others."""
    if policy and any(
        each.policy and ssl_policies.POLICIES[each.policy].is_fips != ssl_policies.POLICIES[policy].is_fips
        for each in listeners
    ):
        text = "All secure listeners of a load balancer must use FIPS security policies, or none of them"
        raise InvalidConfiguration(text)


def read_alpn(params: Params, protocol: str, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the ALPN policy, which TLS listeners may have. Raises AwsError."""
    given = params.get("AlpnPolicy")
    if given is None:
        return known if protocol == "TLS" else ()
    if protocol != "TLS":
        raise ValidationError(f"ALPN policies cannot be specified for {protocol} listeners")
    if len(given) != 1:
        raise ValidationError("Exactly one ALPN policy must be specified")
    if given[0] not in _ALPN:
        raise AwsError("ALPNPolicyNotSupportedException", f"ALPN policy '{given[0]}' is not supported")
    return tuple(given)


async def read_authentication(
    ctx: Context,
    tx: Transaction,
    given: Mapping[str, Any] | None,
    found: LoadBalancer,
    protocol: str,
    known: dict[str, Any] | None = None,
) -> dict[str, Any] | None:
    """Return how clients are authenticated, as the API shows it. Raises AwsError."""
    if protocol not in protocols.SECURE:
        return None
    if given is None:
        return known or {"Mode": "off"}
    mode = given.get("Mode", "off")
    if mode not in _MODES[found.type]:
        raise ValidationError(f"Mutual authentication mode '{mode}' must be one of '{', '.join(_MODES[found.type])}'")
    if given.get("ClientCertificateIdentityFilters"):
        raise UnsupportedFeature("filters of the identity of client certificates")
    if given.get("TrustStoreAssociationStatus"):
        raise ValidationError("TrustStoreAssociationStatus cannot be specified")
    if mode != "verify":
        for member in ("TrustStoreArn", "IgnoreClientCertificateExpiry", "AdvertiseTrustStoreCaNames"):
            if given.get(member) not in (None, False, "off"):
                raise ValidationError(f"{member} can be specified in the mutual authentication mode 'verify' only")
        return {"Mode": mode}
    if not given.get("TrustStoreArn"):
        raise ValidationError("A trust store ARN must be specified in the mutual authentication mode 'verify'")
    store = await storing.get_trust_store(ctx, tx, given["TrustStoreArn"])
    shown = {
        "Mode": mode,
        "TrustStoreArn": store.arn,
        "IgnoreClientCertificateExpiry": bool(given.get("IgnoreClientCertificateExpiry")),
    }
    advertised = given.get("AdvertiseTrustStoreCaNames", "off")
    return {**shown, "AdvertiseTrustStoreCaNames": advertised} if found.type == APPLICATION else shown
