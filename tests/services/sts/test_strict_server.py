"""Clients of a server that enforces permissions: what needs no keys, and what its sessions may do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.tokens import TokenSealer, load_master_key
from cloudlet.testing.server import Aws, Server
from tests.refused import code_of, refused
from tests.services.cloudtrail.test_history import lookup
from tests.services.sts.conftest import ALLOW_ALL, policy, trust
from tests.services.sts.issuer import CLIENT, Issuer, running_issuer
from tests.services.sts.saml import IdentityProvider, encoded

_ACCOUNT, _KEY, _SECRET = "123456789012", "AKIAEXAMPLEROOTKEY01", "a-secret-for-the-root-user"


class Owner(Aws):
    """The root user of the account."""

    def client(self, service: str, **options: Any) -> Any:
        own = {"aws_access_key_id": _KEY, "aws_secret_access_key": _SECRET}
        return super().client(service, **{**own, **options})


class Strict:
    """A server in strict mode, and the root user of an account."""

    def __init__(self, server: Server, data: Path) -> None:
        self.aws = Owner(server.endpoint, _ACCOUNT)
        self._sealer = TokenSealer(load_master_key(data / "master.key"))

    def unsigned(self) -> Any:
        return self.aws.client("sts", config=Config(signature_version=UNSIGNED))

    def user(self, name: str) -> Any:
        """Return a client of STS that a user has."""
        arn = f"arn:aws:iam::{_ACCOUNT}:user/{name}"
        issued = self._sealer.issue(Principal("user", _ACCOUNT, arn, "AIDAEXAMPLE"), 4e9)
        return self.session("sts", _name_parts(issued))

    def session(self, service: str, credentials: dict[str, str]) -> Any:
        return self.aws.client(
            service,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )


def _name_parts(issued: Any) -> dict[str, str]:
    return {
        "AccessKeyId": issued.access_key,
        "SecretAccessKey": issued.secret_key,
        "SessionToken": issued.session_token,
    }


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strict]:
    data = tmp_path_factory.mktemp("data")
    root_key = f"{_ACCOUNT}:{_KEY}:{_SECRET}"
    with Server.start("--auth", "strict", "--root-key", root_key, "--data", str(data)) as server:
        yield Strict(server, data)


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


@pytest.fixture(scope="module")
def web_role(strict: Strict, issuer: Issuer) -> str:
    """A role for the users of a provider."""
    iam = strict.aws.client("iam")
    provider = iam.create_open_id_connect_provider(Url=f"https://{issuer.name}", ClientIDList=[CLIENT])[
        "OpenIDConnectProviderArn"
    ]
    document = trust({"Federated": provider}, "sts:AssumeRoleWithWebIdentity")
    role = iam.create_role(RoleName="web", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(RoleName="web", PolicyName="all", PolicyDocument=policy(ALLOW_ALL))
    return str(role)


def test_a_user_assumes_a_role_that_trusts_him(strict: Strict) -> None:
    document = trust({"AWS": f"arn:aws:iam::{_ACCOUNT}:user/alice"})
    iam = strict.aws.client("iam")
    iam.create_user(UserName="alice")
    role = iam.create_role(RoleName="admin", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    named = {"RoleArn": role, "RoleSessionName": "session"}
    answer = strict.user("alice").assume_role(**named)
    identity = strict.session("sts", answer["Credentials"]).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{_ACCOUNT}:assumed-role/admin/session"
    assert code_of(strict.user("bob").assume_role, **named) == "AccessDenied"
    assert refused(strict.aws.client("sts").assume_role, **named) == (
        "AccessDenied",
        "Roles may not be assumed by root accounts.",
    )
    assert code_of(strict.unsigned().assume_role, **named) == "MissingAuthenticationToken"


def test_a_web_identity_needs_no_keys(strict: Strict, issuer: Issuer, web_role: str) -> None:
    answer = strict.unsigned().assume_role_with_web_identity(
        RoleArn=web_role, RoleSessionName="app1", WebIdentityToken=issuer.token()
    )
    assert (answer["Provider"], answer["Audience"]) == (issuer.url, CLIENT)
    session = strict.session("sqs", answer["Credentials"])
    session.list_queues()
    (event,) = lookup(strict.aws, 1, EventName="AssumeRoleWithWebIdentity")
    record = json.loads(event["CloudTrailEvent"])
    assert record["recipientAccountId"] == _ACCOUNT
    assert record["requestParameters"]["webIdentityToken"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    (called,) = lookup(strict.aws, 1, EventName="ListQueues")
    context = json.loads(called["CloudTrailEvent"])["userIdentity"]["sessionContext"]
    assert context["webIdFederationData"] == {
        "federatedProvider": f"arn:aws:iam::{_ACCOUNT}:oidc-provider/{issuer.name}",
        "attributes": {f"{issuer.name}:aud": CLIENT, f"{issuer.name}:sub": "user-1234"},
    }


def test_sdks_find_their_role_by_a_file_with_a_token(
    strict: Strict, issuer: Issuer, web_role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(issuer.token())
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", strict.aws.endpoint)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", web_role)
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "sdk")
    identity = boto3.Session(region_name="eu-west-1").client("sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{_ACCOUNT}:assumed-role/web/sdk"


def test_a_saml_assertion_needs_no_keys(strict: Strict) -> None:
    provider, iam = IdentityProvider(), strict.aws.client("iam")
    arn = iam.create_saml_provider(Name="company", SAMLMetadataDocument=provider.metadata())["SAMLProviderArn"]
    document = trust({"Federated": arn}, "sts:AssumeRoleWithSAML")
    role = iam.create_role(RoleName="saml", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    response = provider.respond(provider.sign(provider.assertion(role, arn)))
    answer = strict.unsigned().assume_role_with_saml(RoleArn=role, PrincipalArn=arn, SAMLAssertion=encoded(response))
    identity = strict.session("sts", answer["Credentials"]).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{_ACCOUNT}:assumed-role/saml/carol@example.com"
    assert answer["Subject"] == "carol"
