"""Whether a message that came over HTTP is from Amazon SNS.

Anybody can post to an endpoint that is open to the world. What SNS posts is signed, with a key whose certificate is to
be had from SNS itself (Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages").
"""

from __future__ import annotations

import base64
import os
import re
import ssl
from functools import lru_cache
from typing import Any
from urllib.request import urlopen

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate

TIMEOUT_SECONDS = 10

_ABOUT_SUBSCRIPTIONS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _ABOUT_SUBSCRIPTIONS,
    "UnsubscribeConfirmation": _ABOUT_SUBSCRIPTIONS,
}
"""What is signed of each type of message, in this order. A message need not have a subject."""

AWS = r"https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?"
endpoint = os.environ.get("AWS_ENDPOINT_URL")
urls_of_sns = re.compile((re.escape(endpoint.rstrip("/")) if endpoint else AWS) + "/")


def visit(url: str) -> bytes:
    """Return what SNS has to say at a URL. Raises ValueError for a URL that leads elsewhere, OSError."""
    if not urls_of_sns.match(url):
        raise ValueError(f"{url} does not lead to SNS")
    trusted = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
    with urlopen(url, timeout=TIMEOUT_SECONDS, context=trusted) as answer:
        return bytes(answer.read())


@lru_cache(8)
def public_key(certificate_url: str) -> RSAPublicKey:
    """Return the key by which SNS's signatures are verified. Raises ValueError, OSError."""
    key = load_pem_x509_certificate(visit(certificate_url)).public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("SNS signs with RSA")
    return key


def verify(message: dict[str, Any]) -> None:
    """Return if SNS has signed a message. Raises ValueError, LookupError or TypeError for any other, OSError."""
    if message["SignatureVersion"] != "2":
        raise ValueError("the topic's SignatureVersion is not 2")
    names = [name for name in SIGNED[message["Type"]] if name in message]
    signed = "".join(f"{name}\n{message[name]}\n" for name in names).encode()
    signature = base64.b64decode(message["Signature"])
    try:
        public_key(message["SigningCertURL"]).verify(signature, signed, PKCS1v15(), SHA256())
    except InvalidSignature as error:
        raise ValueError("SNS has not signed this") from error
