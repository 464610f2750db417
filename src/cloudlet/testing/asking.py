"""Single requests to a Cloudlet, for which a client would be made ten times as long as they take."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import EndpointConnectionError, HTTPClientError
from botocore.httpsession import URLLib3Session

if TYPE_CHECKING:
    from cloudlet.testing.server import Aws


class Unanswered(Exception):
    """No Cloudlet answers there."""


def health(endpoint: str) -> dict[str, Any]:
    """Return what a Cloudlet says of itself: its version, and the state of each block. Raises Unanswered."""
    try:
        told = json.loads(ask(f"{endpoint}/_cloudlet/health"))
    except Unanswered:
        raise Unanswered(f"no Cloudlet answers at {endpoint}") from None
    except ValueError:
        told = None
    if not isinstance(told, dict) or told.get("edition") != "cloudlet":
        raise Unanswered(f"what answers at {endpoint} is no Cloudlet")
    return told


def ask(url: str, aws: Aws | None = None) -> bytes:
    """Return what S3 answers to an account, or Cloudlet to anybody. Raises Unanswered."""
    request = AWSRequest("GET", url)
    if aws is not None:
        S3SigV4Auth(Credentials(aws.account, "test"), "s3", aws.region).add_auth(request)
    try:
        content: bytes = _connections().send(request.prepare()).content
    except (EndpointConnectionError, HTTPClientError) as error:
        raise Unanswered(f"no Cloudlet answers at {url}") from error
    return content


@cache
def _connections() -> URLLib3Session:
    return URLLib3Session(verify=os.environ.get("AWS_CA_BUNDLE") or True)
