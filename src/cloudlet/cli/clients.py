"""AWS clients of commands.

They call the Cloudlet that runs, with the keys of the environment or as an account's root.
"""

from __future__ import annotations

import argparse
from typing import Any, Final

import boto3

from cloudlet.cli import admin

_ACCOUNT: Final = "000000000000"


def add_account(parser: argparse.ArgumentParser) -> None:
    """Add the option that names an account."""
    parser.add_argument(
        "--account",
        help=(
            f"the account, where its root is let in without a key (default: the keys of the environment, or {_ACCOUNT})"
        ),
    )


def make_client(options: argparse.Namespace, service: str, region: str | None = "us-east-1") -> Any:
    """Return a client of a service; without a region it has the environment's. Raises CommandError."""
    running = admin.running_on(options.port)
    session = boto3.Session()
    more: dict[str, Any] = {"endpoint_url": running.endpoint}
    more["region_name"] = region or session.region_name or "us-east-1"
    if running.authority is not None:
        more["verify"] = running.authority
    if options.account is not None or session.get_credentials() is None:
        account = options.account or _ACCOUNT
        more |= {"aws_access_key_id": account, "aws_secret_access_key": "x"}
    return session.client(service, **more)
