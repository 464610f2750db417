"""Writes the configuration of Ceph's s3-tests: `s3_suite_configuration.py ENDPOINT FILE`.

Who the users are is asked of the endpoint itself.
"""

from __future__ import annotations

import sys
from configparser import ConfigParser
from pathlib import Path
from urllib.parse import urlsplit

import boto3

_SECTIONS = {
    "s3 main": ("MAIN", "main"),
    "s3 alt": ("ALT", "alt"),
    "s3 tenant": ("TENANT", "tenant"),
    "iam": ("MAIN", "main"),
    "iam root": ("MAIN", "main"),
    "iam alt root": ("ALT", "alt"),
}


def configuration(endpoint: str) -> ConfigParser:
    """Return the configuration for a Cloudlet that knows the keys of scripts/suite-s3tests."""
    address = urlsplit(endpoint)
    written = ConfigParser(interpolation=None)
    written["DEFAULT"] = {
        "host": str(address.hostname),
        "port": str(address.port),
        "is_secure": "False",
        "ssl_verify": "False",
    }
    written["fixtures"] = {
        "bucket prefix": "s3t-{random}-",
        "iam name prefix": "s3-tests-",
        "iam path prefix": "/s3-tests/",
    }
    for section, (key, secret) in _SECTIONS.items():
        keys = {"aws_access_key_id": f"AKIA{key}", "aws_secret_access_key": f"{secret}-secret"}
        owner = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys).list_buckets()["Owner"]
        written[section] = {
            "display_name": owner.get("DisplayName", owner["ID"]),
            "user_id": owner["ID"],
            "email": f"{secret}@example.com",
            "access_key": keys["aws_access_key_id"],
            "secret_key": keys["aws_secret_access_key"],
            "tenant": "testx" if section == "s3 tenant" else "",
            "api_name": "eu-west-1",
        }
    return written


if __name__ == "__main__":
    with Path(sys.argv[2]).open("w") as file:
        configuration(sys.argv[1]).write(file)
