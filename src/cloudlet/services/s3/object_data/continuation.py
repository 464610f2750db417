"""Continuation tokens of lists: the name of the last thing on the page before."""

from __future__ import annotations

from cloudlet.core.aws import page_tokens
from cloudlet.services.s3 import errors


def token_of(name: str) -> str:
    return page_tokens.make_page_token(name.encode())


def name_of(token: str) -> str:
    """Return the name that is in a token. Raises AwsError."""
    wrong = errors.invalid_argument("The continuation token provided is incorrect", "continuation-token", token)
    return page_tokens.parse_name_token(token, wrong)
