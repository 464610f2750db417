"""Client certificates: by them endpoints can tell that requests come from API Gateway.

Developer guide, "Generate and configure an SSL certificate for backend authentication". Cloudlet makes them, but does
not show them to endpoints yet: stages that name one are refused.
"""

from __future__ import annotations

from cloudlet.core.host.certificates import make_self_signed

VALID_SECONDS = 365 * 86_400
MOST = 60


def generated(now: float) -> tuple[str, str]:
    """Return a certificate, signed by itself and valid for a year, and its private key, as PEM. Takes a while."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key, certificate = make_self_signed("ApiGateway", now, now + VALID_SECONDS)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.decode(), private.decode()
