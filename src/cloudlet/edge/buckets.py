"""Buckets that are named by a request's host: S3's virtual-hosted style and website endpoints.

S3 user guide, "Virtual hosting of general purpose buckets", "Website endpoints".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from cloudlet.wire import HttpRequest
from cloudlet.wire.catalog import catalog
from cloudlet.wire.supplements import WEBSITE

_NAMED: Final = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]*)\.s3(?P<website>-website)?(?:[.-][a-z0-9.-]+)")

_LONGEST_HOST: Final = 512
"""A name has 253 letters at most (RFC 1035), and a port a few; what is longer names no bucket, and is not kept."""


class PathStyleAddress(NamedTuple):
    """The path and the query string that a request would have in path style."""

    path: str
    query: str


def to_path_style(request: HttpRequest, service: str, public_host: str) -> PathStyleAddress | None:
    """Return the path-style address of a request that names its bucket in its host, or None.

    `service` is what the request is signed for, "" where it is not; `public_host` is where clients reach this Cloudlet.
    """
    if service not in ("s3", ""):
        return None
    stated = request.headers.get("host", "")
    named = _named(stated, service, public_host) if len(stated) <= _LONGEST_HOST else None
    if named is None:
        return None
    bucket, website = named
    query = "&".join(part for part in (request.query, WEBSITE) if part) if website else request.query
    path = request.path
    return PathStyleAddress(f"/{bucket}" if path in ("", "/") else f"/{bucket}{path}", query)


@lru_cache(1024)
def _named(stated: str, service: str, public_host: str) -> tuple[str, bool] | None:
    """Return the bucket that a Host header names, if it does, and whether its website is meant."""
    host = stated.rpartition("@")[2].partition(":")[0].lower()
    found = _NAMED.fullmatch(host)
    if found is not None:
        return found["bucket"], found["website"] is not None
    for base in ("localhost", public_host):
        bucket = host.removesuffix(f".{base}")
        if bucket != host and (service == "s3" or not _is_an_endpoint(bucket)):
            return bucket, False
    return None


def _is_an_endpoint(name: str) -> bool:
    """Whether the labels before the public host name a service, as in sqs.us-east-1.localhost."""
    labels = set(name.split("."))
    return any(labels & {entry.endpoint_prefix, entry.signing_name} for entry in catalog().values())
