"""Checks of the buckets that load balancers write logs to, by a test file.

User guides, "Enable access logs" and "Enable connection logs".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cloudlet.core import AwsError, Context
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.identity import make_principal
from cloudlet.services.elbv2.balancer_record import LoadBalancer
from cloudlet.services.elbv2.errors import InvalidConfiguration

_TEST_FILES: Final = {"access_logs": "ELBAccessLogTestFile", "connection_logs": "ELBConnectionLogTestFile"}
_PRINCIPAL: Final = "logdelivery.elasticloadbalancing.amazonaws.com"


async def check(ctx: Context, found: LoadBalancer, before: Mapping[str, str]) -> None:
    """Raise InvalidConfiguration where a load balancer cannot write logs that were not enabled before."""
    for kind, file in _TEST_FILES.items():
        names = [f"{kind}.s3.{part}" for part in ("enabled", "bucket", "prefix")]
        wanted = [found.attributes.get(name, "") for name in names]
        is_enabled, bucket, prefix = wanted
        if is_enabled != "true" or wanted == [before.get(name, "") for name in names]:
            continue
        if not bucket:
            raise InvalidConfiguration(f"The value of '{kind}.s3.bucket' cannot be empty")
        beginning = f"{prefix}/" if prefix else ""
        await _put(ctx, found, bucket, f"{beginning}AWSLogs/{found.account}/{file}")


async def _put(ctx: Context, found: LoadBalancer, bucket: str, key: str) -> None:
    params = {"Bucket": bucket, "Key": key, "Body": f"Enable logs of {found.title}".encode()}
    try:
        await ctx.block.cloud.call(
            "s3",
            "PutObject",
            params,
            principal=make_principal("service", found.account, _PRINCIPAL, "elbv2", ""),
            account=found.account,
            region=found.region,
            source_arn=found.arn,
        )
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        raise InvalidConfiguration(f"Access Denied for bucket: {bucket}. Please check S3bucket permission") from None
