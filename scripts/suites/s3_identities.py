"""Ceph's tests of roles and identity providers, asked as AWS takes it.

Ceph's ARNs of users and roles have no account, its provider is at http://localhost:8080 and its condition key of a
token's audience is `app_id`. Users of Ceph may do everything with buckets of their own; on AWS a policy lets them.
"""

from __future__ import annotations

import os
from configparser import ConfigParser
from typing import Any

_DOCUMENTS = ("AssumeRolePolicyDocument", "PolicyDocument", "Policy", "RoleArn")
OWN_BUCKETS = frozenset(
    (
        "test_deny_bucket_actions_in_user_policy",
        "test_deny_multipart_actions_in_user_policy",
        "test_deny_object_actions_in_user_policy",
        "test_deny_tagging_actions_in_user_policy",
        "test_get_session_token",
        "test_verify_conflicting_user_policies",
        "test_verify_conflicting_user_policy_statements",
    )
)
"""Tests whose user has to be let do what Ceph's users may."""


class Identities:
    """What tests ask for, and what they are answered, between Ceph's words and AWS's."""

    def __init__(self) -> None:
        self.is_on = False
        self._words: dict[str, str] = {}
        self._account = ""

    def read_configuration(self) -> None:
        """Learn the account and the provider, once."""
        if self._words:
            return
        configuration = ConfigParser(interpolation=None)
        configuration.read(os.environ["S3TEST_CONF"])
        self._account = configuration["iam root"]["user_id"]
        issuer = configuration["webidentity"]["issuer"]
        self._words = {
            "arn:aws:iam:::assumed-role/": f"arn:aws:sts::{self._account}:assumed-role/",
            "arn:aws:iam:::": f"arn:aws:iam::{self._account}:",
            "http://localhost:8080/auth/realms/demorealm": issuer,
            "localhost:8080/auth/realms/demorealm": issuer.removeprefix("https://"),
            ":app_id": ":aud",
        }

    def word(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters of an operation in AWS's words."""
        if not self.is_on:
            return parameters
        self.read_configuration()
        worded = {name: self._replace(value) if name in _DOCUMENTS else value for name, value in parameters.items()}
        if operation == "CreateOpenIDConnectProvider":
            worded |= {"Url": self._replace(parameters["Url"]), "ClientIDList": ["account", "ceph-client"]}
        return worded

    def answer(self, operation: str, answer: Any) -> Any:
        """Return an answer in Ceph's words."""
        if self.is_on and operation == "CreateRole":
            answer["Role"]["Arn"] = answer["Role"]["Arn"].replace(f"::{self._account}:", ":::")
        return answer

    def _replace(self, text: str) -> str:
        for old, new in self._words.items():
            text = text.replace(old, new)
        return text
