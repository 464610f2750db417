"""Writes the configuration of Ceph's s3-tests: `s3_suite_configuration.py ENDPOINT FILE [users]`.

Who the users are is asked of the endpoint itself. For the tests of IAM (`users`), the other one is a user of the main
account, whom it creates, and not another account.
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


def add_keys(endpoint: str, written: ConfigParser) -> None:
    """Create the keys of KMS that objects are encrypted with."""
    main = written["s3 main"]
    own = {"aws_access_key_id": main["access_key"], "aws_secret_access_key": main["secret_key"]}
    kms = boto3.client("kms", endpoint_url=endpoint, region_name="us-east-1", **own)
    for name in ("kms_keyid", "kms_keyid2"):
        main[name] = kms.create_key()["KeyMetadata"]["Arn"]


def add_user(endpoint: str, written: ConfigParser) -> None:
    """Create the user whose policies the tests of IAM change, and name the accounts as ARNs do."""
    main = written["iam root"]
    keys = {"aws_access_key_id": main["access_key"], "aws_secret_access_key": main["secret_key"]}
    iam, sts = (boto3.client(name, endpoint_url=endpoint, region_name="us-east-1", **keys) for name in ("iam", "sts"))
    key = iam.create_access_key(UserName=iam.create_user(UserName="alt")["User"]["UserName"])["AccessKey"]
    written["s3 alt"].update({"user_id": "alt", "access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]})
    main["user_id"] = sts.get_caller_identity()["Account"]


if __name__ == "__main__":
    made = configuration(sys.argv[1])
    add_keys(sys.argv[1], made)
    if "users" in sys.argv:
        add_user(sys.argv[1], made)
    with Path(sys.argv[2]).open("w") as file:
        made.write(file)
