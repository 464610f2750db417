"""Names and places of buckets.

S3 user guide, "General purpose bucket naming rules"; API reference, "CreateBucket".
"""

from __future__ import annotations

import ipaddress
import re

from cloudlet.core import AwsError
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.s3 import errors

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]")
_REGION = re.compile(r"[a-z]+(-[a-z]+)+-[0-9]+")
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_OLD_EUROPE = "EU"
"""A location constraint from before there were other regions in Europe."""

DEFAULT_REGION = "us-east-1"


def check_name(name: str) -> None:
    """Raise InvalidBucketName for what cannot be a general purpose bucket's name."""
    if (
        _NAME.fullmatch(name) is None
        or ".." in name
        or name.startswith(_RESERVED_PREFIXES)
        or name.endswith(_RESERVED_SUFFIXES)
        or _is_address(name)
    ):
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.", status=400, BucketName=name)


def check_account_name(name: str, account: str, region: str) -> None:
    """Raise unless a name is one of an account's own namespace in a region."""
    if not name.endswith(f"-{account}-{region}-an"):
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.", status=400, BucketName=name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


def region_of(constraint: str | None, endpoint_region: str) -> str:
    """Return the region of a bucket that is created through a region's endpoint. Raises AwsError.

    `constraint` is one that the model knows. The endpoint of us-east-1 creates buckets everywhere, others in their own
    region alone. A request that was signed for what is no region is told that of the endpoint which any region's
    request reaches: s3cmd, for one, signs for US until then.
    """
    if not _REGION.fullmatch(endpoint_region):
        raise AwsError(
            "AuthorizationHeaderMalformed",
            f"The authorization header is malformed; the region '{endpoint_region}' is wrong; expecting "
            f"'{DEFAULT_REGION}'",
            status=400,
            Region=DEFAULT_REGION,
        )
    if not constraint:
        if endpoint_region != DEFAULT_REGION:
            raise errors.illegal_location("unspecified")
        return DEFAULT_REGION
    region = "eu-west-1" if constraint == _OLD_EUROPE else constraint
    if endpoint_region not in (DEFAULT_REGION, region) or partition_of(region) != partition_of(endpoint_region):
        raise errors.illegal_location(constraint)
    return region
