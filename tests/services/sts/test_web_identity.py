"""AssumeRoleWithWebIdentity: ID tokens of an OpenID Connect provider on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cloudlet.core.kernel.identity import ANONYMOUS, Principal
from tests.services.sts.conftest import ACCOUNT, Sts, policy, trust
from tests.services.sts.issuer import CLIENT, Issuer, running_issuer

_ACTION = "sts:AssumeRoleWithWebIdentity"
_ACTIONS = (_ACTION, "sts:TagSession", "sts:SetSourceIdentity")
_TAGS = "https://aws.amazon.com/tags"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


class Federation:
    """A role for the users of a provider."""

    def __init__(self, sts: Sts, issuer: Issuer, *, thumbprints: tuple[str, ...] = (), **condition: Any) -> None:
        self.sts, self.issuer = sts, issuer
        made = sts.iam(
            "CreateOpenIDConnectProvider",
            Url=f"https://{issuer.name}",
            ClientIDList=[CLIENT],
            ThumbprintList=list(thumbprints or ("0" * 40,)),
        )
        self.provider = made["OpenIDConnectProviderArn"]
        self.role = sts.role(trust({"Federated": self.provider}, *_ACTIONS, **condition), Path="/team/")

    def assume(self, token: str, **params: Any) -> Any:
        return self.sts.call("AssumeRoleWithWebIdentity", **self._params(token, params))

    def refused(self, token: str, **params: Any) -> tuple[str, str]:
        return self.sts.refused("AssumeRoleWithWebIdentity", **self._params(token, params))

    def _params(self, token: str, params: dict[str, Any]) -> dict[str, Any]:
        named = {"RoleArn": self.role, "RoleSessionName": "app1", "WebIdentityToken": token}
        return {"by": ANONYMOUS, **named, **params}


@pytest.fixture
def federation(strict_sts: Sts, issuer: Issuer) -> Federation:
    return Federation(strict_sts, issuer)


def _invalid(message: str) -> tuple[str, str]:
    return "InvalidIdentityTokenException", message


_NO_KEY = _invalid(
    "Couldn't retrieve verification key from your identity provider,  "
    "please reference AssumeRoleWithWebIdentity documentation for requirements"
)


def test_a_token_is_exchanged_for_a_session(federation: Federation) -> None:
    answer = federation.assume(federation.issuer.token(amr=["pwd", "mfa"]))
    assert answer["Provider"] == federation.issuer.url
    assert (answer["Audience"], answer["SubjectFromWebIdentityToken"]) == (CLIENT, "user-1234")
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/app1"
    session = federation.sts.opened(answer)
    details = session.session
    assert details is not None
    name = federation.issuer.name
    assert (details.issuer, details.provider) == (federation.role, federation.provider)
    assert details.keys == {f"{name}:aud": CLIENT, f"{name}:sub": "user-1234", f"{name}:amr": ("pwd", "mfa")}


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"])
def test_tokens_have_signatures_of_many_kinds(federation: Federation, algorithm: str) -> None:
    federation.issuer.add_key("other", algorithm)
    federation.assume(federation.issuer.token("other"))


@pytest.mark.parametrize("claim", ["aud", "sub", "amr"])
def test_the_trust_policy_has_conditions_on_claims(strict_sts: Sts, issuer: Issuer, claim: str) -> None:
    operator = "ForAnyValue:StringEquals" if claim == "amr" else "StringEquals"
    wanted = {"aud": CLIENT, "sub": "user-1234", "amr": "mfa"}[claim]
    federation = Federation(strict_sts, issuer, **{operator: {f"{issuer.name}:{claim}": wanted}})
    federation.assume(issuer.token(amr=["mfa"]))
    other = {"aud": {"aud": "other"}, "sub": {"sub": "user-9999"}, "amr": {"amr": ["pwd"]}}[claim]
    if claim == "aud":
        strict_sts.iam(
            "AddClientIDToOpenIDConnectProvider", OpenIDConnectProviderArn=federation.provider, ClientID="other"
        )
    denied = ("AccessDenied", f"Not authorized to perform {_ACTION}")
    assert federation.refused(issuer.token(**{"amr": ["mfa"], **other})) == denied


def test_a_role_that_trusts_nobody_or_is_not_there_is_not_assumed(federation: Federation) -> None:
    denied = ("AccessDenied", f"Not authorized to perform {_ACTION}")
    token = federation.issuer.token()
    assert federation.refused(token, RoleArn=federation.sts.role(trust("*"), name="other")) == denied
    assert federation.refused(token, RoleArn=f"arn:aws:iam::{ACCOUNT}:role/missing") == denied
    assert federation.refused(token, RoleArn="arn:aws:iam::1:user/none") == (
        "ValidationError",
        "Request ARN is invalid",
    )


def test_a_provider_is_the_roles_accounts_own(federation: Federation) -> None:
    other = "arn:aws:iam::222222222222:role/admin"
    missing = _invalid(f"No OpenIDConnect provider found in your account for {federation.issuer.url}")
    assert federation.refused(federation.issuer.token(), RoleArn=other) == missing
    # Nobody was asked for keys.
    assert federation.issuer.requests == []
    google = federation.issuer.token(iss="https://accounts.google.com")
    assert federation.refused(google)[1].endswith("for https://accounts.google.com")


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"aud": "other"}, _invalid("Incorrect token audience")),
        ({"azp": "other"}, _invalid("Incorrect token audience")),
        ({"aud": None}, _invalid("Missing a required claim: aud")),
        ({"sub": None}, _invalid("Missing a required claim: sub")),
        ({"exp": None}, _invalid("Missing a required claim: exp")),
        ({"iat": None}, _invalid("Missing a required claim: iat")),
        ({"iss": "no url"}, _invalid("Issuer must be a valid URL")),
        ({"iss": "http://example.com"}, _invalid("Issuer must be a valid URL")),
    ],
)
def test_claims_that_are_wrong_are_refused(
    federation: Federation, claims: dict[str, Any], error: tuple[str, str]
) -> None:
    assert federation.refused(federation.issuer.token(**claims)) == error


def test_the_authorized_party_counts_before_the_audience(federation: Federation) -> None:
    answer = federation.assume(federation.issuer.token(aud="other", azp=CLIENT))
    assert answer["Audience"] == CLIENT
    answer = federation.assume(federation.issuer.token(aud=["other", CLIENT]))
    assert answer["Audience"] == CLIENT


def test_a_token_has_its_time(federation: Federation) -> None:
    now = int(time.time())
    code, message = federation.refused(federation.issuer.token(exp=now - 1))
    assert code == "ExpiredTokenException"
    assert message.startswith("Token expired: current date/time ")
    assert message.endswith(f" must be before the expiration date/time {now - 1}")
    for early in ({"nbf": now + 900}, {"iat": now + 900}):
        assert federation.refused(federation.issuer.token(**early))[0] == "InvalidIdentityTokenException"
    federation.assume(federation.issuer.token(nbf=now + 60, iat=now + 60))


def test_however_the_clock_is_moved_providers_have_a_real_one(federation: Federation) -> None:
    federation.sts.advance(30 * 24 * 3600)
    answer = federation.assume(federation.issuer.token())
    assert answer["Credentials"]["Expiration"] == federation.sts.now + 3600


def test_what_the_provider_has_not_signed_is_refused(federation: Federation) -> None:
    signature = _invalid("The ID Token provided has an invalid signature")
    genuine = federation.issuer.token()
    header, _, sealed = genuine.split(".")
    payload = federation.issuer.token(sub="somebody-else").split(".")[1]
    assert federation.refused(f"{header}.{payload}.{sealed}") == signature
    with running_issuer() as other:
        forged = other.token(iss=federation.issuer.url)
    assert federation.refused(forged) == signature


def test_a_public_key_is_no_shared_secret(federation: Federation) -> None:
    unsupported = _invalid("The ID Token provided is signed with an algorithm that is not supported")
    claims = jwt.decode(federation.issuer.token(), options={"verify_signature": False})
    for algorithm in ("HS256", "none"):
        key = None if algorithm == "none" else "k" * 64
        forged = jwt.encode(claims, key, algorithm, headers={"kid": "first"})
        assert federation.refused(forged) == unsupported
    # A key of another kind than the header says.
    federation.issuer.add_key("curve", "ES256")
    swapped = federation.issuer.token("curve", headers={"kid": "first"})
    assert federation.refused(swapped)[0] == "InvalidIdentityTokenException"


@pytest.mark.parametrize("text", ["nothing", "a.b.c", "....", "é" * 10, "e30.e30.e30"])
def test_what_is_no_token_is_refused(federation: Federation, text: str) -> None:
    assert federation.refused(text)[0] == "InvalidIdentityTokenException"


def test_keys_are_kept_and_fetched_again_for_a_new_one(federation: Federation) -> None:
    for _ in range(3):
        federation.assume(federation.issuer.token())
    assert federation.issuer.requests == ["/.well-known/openid-configuration", "/keys"]
    # Not for each token that names a key which is not there, though.
    assert federation.refused(federation.issuer.token(headers={"kid": "unknown"})) == _NO_KEY
    assert len(federation.issuer.requests) == 2
    federation.issuer.add_key("new", "ES256")
    federation.sts.advance(61)
    federation.assume(federation.issuer.token("new"))
    assert len(federation.issuer.requests) == 4
    # One that was withdrawn is not known for ever.
    del federation.issuer.keys["first"]
    federation.sts.advance(3601)
    federation.assume(federation.issuer.token("new"))
    assert len(federation.issuer.requests) == 6


def test_a_single_key_needs_no_id(federation: Federation) -> None:
    algorithm, key = federation.issuer.keys["first"]
    claims = jwt.decode(federation.issuer.token(), options={"verify_signature": False})
    federation.assume(jwt.encode(claims, key, algorithm))


@pytest.mark.parametrize(
    ("path", "document", "code"),
    [
        ("/.well-known/openid-configuration", 404, "InvalidIdentityTokenException"),
        ("/.well-known/openid-configuration", 500, "IDPCommunicationErrorException"),
        ("/.well-known/openid-configuration", b"no JSON", "InvalidIdentityTokenException"),
        ("/.well-known/openid-configuration", b"[" * 100_000, "InvalidIdentityTokenException"),
        ("/.well-known/openid-configuration", {"issuer": "https://example.com"}, "InvalidIdentityTokenException"),
        ("/keys", b"x" * 300_000, "IDPCommunicationErrorException"),
        ("/keys", {"keys": "none"}, "InvalidIdentityTokenException"),
        ("/keys", {"keys": [1, {"kty": "RSA"}, {"kty": "oct", "k": "AAAA"}]}, "InvalidIdentityTokenException"),
    ],
)
def test_a_provider_that_answers_nonsense_has_no_keys(
    federation: Federation, path: str, document: Any, code: str
) -> None:
    federation.issuer.documents[path] = document
    assert federation.refused(federation.issuer.token())[0] == code


def test_keys_are_not_fetched_without_tls_from_elsewhere(federation: Federation) -> None:
    federation.issuer.documents["/.well-known/openid-configuration"] = {
        "issuer": federation.issuer.url,
        "jwks_uri": "http://169.254.169.254/keys",
    }
    assert federation.refused(federation.issuer.token()) == _NO_KEY


def test_a_provider_that_is_down_cannot_be_asked(strict_sts: Sts) -> None:
    with running_issuer() as issuer:
        federation = Federation(strict_sts, issuer)
        token = issuer.token()
    assert federation.refused(token)[0] == "IDPCommunicationErrorException"


@pytest.mark.parametrize("is_flat", [False, True])
def test_tags_and_a_source_identity_come_with_the_token(federation: Federation, is_flat: bool) -> None:
    tags: dict[str, Any] = {_TAGS: {"principal_tags": {"team": ["red"]}, "transitive_tag_keys": ["team"]}}
    if is_flat:
        tags = {f"{_TAGS}/principal_tags/team": "red", f"{_TAGS}/transitive_tag_keys": ["team"]}
    identity = {"https://aws.amazon.com/source_identity": "ann"}
    answer = federation.assume(federation.issuer.token(**tags, **identity))
    assert answer["SourceIdentity"] == "ann"
    details = federation.sts.opened(answer).session
    assert details is not None
    assert (details.tags, details.transitive_tags, details.source_identity) == ({"team": "red"}, ("team",), "ann")


def test_tags_must_be_allowed(strict_sts: Sts, issuer: Issuer) -> None:
    federation = Federation(strict_sts, issuer)
    plain = strict_sts.role(trust({"Federated": federation.provider}, _ACTION), name="plain")
    federation.assume(issuer.token(), RoleArn=plain)
    token = issuer.token(**{_TAGS: {"principal_tags": {"team": ["red"]}}})
    assert federation.refused(token, RoleArn=plain)[0] == "AccessDenied"
    two = issuer.token(**{_TAGS: {"principal_tags": {"team": ["red", "blue"]}}})
    assert federation.refused(two) == _invalid("The tag team must have one value")
    for tags in ({"": "red"}, {"team": "red!"}, {"t" * 129: "red"}, {"team": "r" * 257}):
        assert federation.refused(issuer.token(**{_TAGS: {"principal_tags": tags}}))[0] == "ValidationError"
    identity = issuer.token(**{"https://aws.amazon.com/source_identity": "aws:ann"})
    assert federation.refused(identity)[0] == "InvalidIdentityTokenException"


def test_durations_and_session_policies_are_those_of_a_role(federation: Federation) -> None:
    token = federation.issuer.token()
    assert federation.refused(token, DurationSeconds=3601) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )
    assert federation.refused(token, Policy="{}")[0] == "MalformedPolicyDocumentException"
    document = policy({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    details = federation.sts.opened(federation.assume(token, Policy=document, DurationSeconds=900)).session
    assert details is not None
    assert details.policies == (document,)


def test_access_tokens_of_other_providers_are_refused(federation: Federation) -> None:
    assert federation.refused("Atza|token", ProviderId="www.amazon.com")[0] == "InvalidIdentityTokenException"


def test_open_mode_looks_at_the_token_and_at_no_policy(sts: Sts, issuer: Issuer) -> None:
    federation = Federation(sts, issuer)
    denying = sts.role(policy({"Effect": "Deny", "Principal": "*", "Action": "sts:*"}), name="denying")
    federation.assume(issuer.token(), RoleArn=denying)
    assert federation.refused(issuer.token(aud="other"))[0] == "InvalidIdentityTokenException"


def test_a_certificate_is_trusted_by_its_thumbprint(strict_sts: Sts, tmp_path: Path) -> None:
    certificate, key = _write_certificate(tmp_path)
    thumbprint = sha1(x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER)).hexdigest()
    with running_issuer((certificate, key)) as issuer:
        federation = Federation(strict_sts, issuer, thumbprints=(thumbprint.upper(),))
        federation.assume(issuer.token())


def test_other_certificates_are_not_trusted(strict_sts: Sts, tmp_path: Path) -> None:
    with running_issuer(_write_certificate(tmp_path)) as issuer:
        federation = Federation(strict_sts, issuer)
        assert federation.refused(issuer.token()) == _invalid(
            "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
        )


def _write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate of this machine, which signs itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    names = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(names)
        .issuer_name(names)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


def test_a_session_calls_as_the_user_of_the_provider(federation: Federation) -> None:
    session: Principal = federation.sts.opened(federation.assume(federation.issuer.token()))
    identity = federation.sts.call("GetCallerIdentity", by=session)
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/app1"
