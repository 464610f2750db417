"""Names that are ours within Envoy: clusters, headers and metadata."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

BLOCK: Final = "cloudlet"
"""The cluster of this block, which answers for functions and identity providers."""
METADATA: Final = "cloudlet"
"""The namespace of what routes say of themselves, and filters of a request."""
EVALUATED: Final = "evaluated"
"""A route's metadata: how many rules are looked at until it is chosen."""
SENT_URL: Final = "sent-url"
SENT_HOST: Final = "sent-host"
SOURCE: Final = "x-cloudlet-source"
"""A header with the client's address: conditions can be of headers only."""
PATH: Final = "x-cloudlet-path"
"""A header with the path without its query."""
PROTOCOL: Final = "x-cloudlet-protocol"
"""A header with the protocol of the request, where targets speak another one than HTTP/1.1."""
ADDRESS: Final = "x-cloudlet-address"
"""A header with the load balancer's address to which the client has connected."""
TARGET_GROUP: Final = "x-cloudlet-target-group"
"""A header with the ARN of the target group of a function."""
RULE: Final = "x-cloudlet-rule"
"""A header with the ARN of the listener to which users come back."""
EARLY_HEADERS: Final = (SOURCE, PATH, PROTOCOL, ADDRESS)
"""Headers that rules look at."""
INTERNAL_HEADERS: Final = (*EARLY_HEADERS, TARGET_GROUP, RULE)


def make_cookie_value(arn: str) -> str:
    """Return what a cookie has for a target group."""
    return sha256(arn.encode()).hexdigest()[:40]
