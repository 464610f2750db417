"""Buckets that let a service in, as they have to on AWS, and where permissions are enforced."""

from __future__ import annotations

import json
from typing import Any


def let_in(s3: Any, bucket: str, service: str) -> None:
    """Have a bucket's policy admit a service (`logs.amazonaws.com`) to all that it has."""
    arn = f"arn:aws:s3:::{bucket}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
