"""Buckets that are named by a request's host: S3's virtual-hosted style and website endpoints.

S3 user guide, "Virtual hosting of general purpose buckets", "Website endpoints".
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from cloudlet.wire import HttpRequest
from cloudlet.wire.catalog import catalog
from cloudlet.wire.supplements import WEBSITE

_NAMED: Final = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]*)\.s3(?P<website>-website)?(?:[.-][a-z0-9.-]+)")


class Address(NamedTuple):
    """The path and the query string that a request would have in path style."""

    path: str
    query: str


def address(request: HttpRequest, service: str, public_host: str) -> Address | None:
    """Return the path-style address of a request that names its bucket in its host, or None.

    `service` is what the request is signed for, "" where it is not; `public_host` is where clients reach this Cloudlet.
    """
    if service not in ("s3", ""):
        return None
    host = request.headers.get("host", "").rpartition("@")[2].partition(":")[0].lower()
    named = _NAMED.fullmatch(host)
    if named is not None:
        query = "&".join(part for part in (request.query, WEBSITE) if part) if named["website"] else request.query
        return Address(_below(named["bucket"], request.path), query)
    for base in ("localhost", public_host):
        bucket = host.removesuffix(f".{base}")
        if bucket != host and (service == "s3" or not _is_an_endpoint(bucket)):
            return Address(_below(bucket, request.path), request.query)
    return None


def _below(bucket: str, path: str) -> str:
    return f"/{bucket}" if path in ("", "/") else f"/{bucket}{path}"


def _is_an_endpoint(name: str) -> bool:
    """Whether the labels before the public host name a service, as in sqs.us-east-1.localhost."""
    labels = set(name.split("."))
    return any(labels & {entry.endpoint_prefix, entry.signing_name} for entry in catalog().values())
