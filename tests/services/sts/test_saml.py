"""AssumeRoleWithSAML: assertions that an identity provider has signed, and forged ones."""

from __future__ import annotations

import base64
import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lxml import etree

from cloudlet.core.kernel.identity import ANONYMOUS
from tests.services.sts.conftest import ACCOUNT, Sts, policy, trust
from tests.services.sts.saml import ASSERTION, ATTRIBUTES, PROTOCOL, SIGN_IN, IdentityProvider, encoded

_ACTION = "sts:AssumeRoleWithSAML"
_ACTIONS = (_ACTION, "sts:TagSession", "sts:SetSourceIdentity")
_SIGNATURE = ("InvalidIdentityTokenException", "Response signature invalid")
_DENIED = ("AccessDenied", f"Not authorized to perform {_ACTION}")


@pytest.fixture(scope="module")
def provider() -> IdentityProvider:
    return IdentityProvider()


class Federation:
    """A role for the users of an identity provider."""

    def __init__(self, sts: Sts, provider: IdentityProvider, **condition: Any) -> None:
        self.sts, self.provider = sts, provider
        made = sts.iam("CreateSAMLProvider", Name="company", SAMLMetadataDocument=provider.metadata())
        self.arn = made["SAMLProviderArn"]
        self.role = sts.role(trust({"Federated": self.arn}, *_ACTIONS, **condition), Path="/team/")

    def response(self, **changes: Any) -> str:
        """Return a response whose assertion is signed, with some parts of it changed."""
        return self.provider.respond(self.provider.sign(self.assertion(**changes)))

    def assertion(self, **changes: Any) -> str:
        return self.provider.assertion(self.role, self.arn, **changes)

    def assume(self, document: str, **params: Any) -> Any:
        return self.sts.call("AssumeRoleWithSAML", **self._params(encoded(document), params))

    def refused(self, document: str, **params: Any) -> tuple[str, str]:
        return self.sts.refused("AssumeRoleWithSAML", **self._params(encoded(document), params))

    def _params(self, assertion: str, params: dict[str, Any]) -> dict[str, Any]:
        named = {"RoleArn": self.role, "PrincipalArn": self.arn, "SAMLAssertion": assertion}
        return {"by": ANONYMOUS, **named, **params}


@pytest.fixture
def federation(strict_sts: Sts, provider: IdentityProvider) -> Federation:
    return Federation(strict_sts, provider)


def test_an_assertion_is_exchanged_for_a_session(federation: Federation) -> None:
    answer = federation.assume(federation.response())
    qualifier = hashlib.sha1(f"{federation.provider.entity_id}{ACCOUNT}/company".encode()).digest()
    assert (answer["Subject"], answer["SubjectType"]) == ("carol", "persistent")
    assert (answer["Issuer"], answer["Audience"]) == (federation.provider.entity_id, SIGN_IN)
    assert answer["NameQualifier"] == base64.b64encode(qualifier).decode()
    session = federation.sts.opened(answer)
    assert session.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/carol@example.com"
    assert answer["AssumedRoleUser"] == {"Arn": session.arn, "AssumedRoleId": session.user_id}
    details = session.session
    assert details is not None
    assert (details.issuer, details.provider) == (federation.role, federation.arn)
    assert details.keys == {
        "saml:aud": SIGN_IN,
        "saml:doc": f"{ACCOUNT}/company",
        "saml:iss": federation.provider.entity_id,
        "saml:namequalifier": answer["NameQualifier"],
        "saml:sub": "carol",
        "saml:sub_type": "persistent",
    }


def test_the_response_as_a_whole_may_be_signed(federation: Federation) -> None:
    response = federation.provider.respond(federation.assertion())
    federation.assume(federation.provider.sign(response, "_response"))


def test_the_pair_of_arns_may_be_turned_round(federation: Federation) -> None:
    turned = {f"{ATTRIBUTES}Role": [f"{federation.arn}, {federation.role}", "arn:x,arn:y"]}
    federation.assume(federation.response(attributes=turned))


def test_a_role_that_the_assertion_does_not_name_is_not_assumed(federation: Federation) -> None:
    other = federation.sts.role(trust({"Federated": federation.arn}, _ACTION), name="other")
    assert federation.refused(federation.response(), RoleArn=other) == _DENIED
    assert federation.refused(federation.response(attributes={f"{ATTRIBUTES}Role": [federation.role]})) == _DENIED
    missing = f"arn:aws:iam::{ACCOUNT}:role/missing"
    pair = {f"{ATTRIBUTES}Role": [f"{missing},{federation.arn}"]}
    assert federation.refused(federation.response(attributes=pair), RoleArn=missing) == _DENIED


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("saml:aud", "https://eu-west-1.signin.aws.amazon.com/saml"),
        ("saml:sub", "dave"),
        ("saml:edupersonaffiliation", "staff"),
        ("saml:mail", "dave@example.com"),
        ("aws:RequestTag/team", "red"),
        ("sts:RoleSessionName", "dave"),
        ("sts:SourceIdentity", "dave"),
    ],
)
def test_the_trust_policy_has_conditions(strict_sts: Sts, provider: IdentityProvider, key: str, value: str) -> None:
    operator = "ForAnyValue:StringEquals" if key == "saml:edupersonaffiliation" else "StringEquals"
    federation = Federation(strict_sts, provider, **{operator: {key: value}})
    assert federation.refused(federation.response()) == _DENIED
    changed = {
        "recipient": "https://eu-west-1.signin.aws.amazon.com/saml",
        "subject": "dave",
        "attributes": {
            "urn:oid:1.3.6.1.4.1.5923.1.1.1.1": ["member", "staff"],
            "urn:oid:0.9.2342.19200300.100.1.3": ["dave@example.com"],
            f"{ATTRIBUTES}PrincipalTag:team": ["red"],
            f"{ATTRIBUTES}RoleSessionName": ["dave"],
            f"{ATTRIBUTES}SourceIdentity": ["dave"],
        },
    }
    federation.assume(federation.response(**changed))


def test_tags_and_a_source_identity_come_with_the_assertion(federation: Federation) -> None:
    attributes = {
        f"{ATTRIBUTES}PrincipalTag:team": ["red"],
        f"{ATTRIBUTES}PrincipalTag:cost": ["1"],
        f"{ATTRIBUTES}TransitiveTagKeys": ["team"],
        f"{ATTRIBUTES}SourceIdentity": ["ann"],
    }
    answer = federation.assume(federation.response(attributes=attributes))
    assert answer["SourceIdentity"] == "ann"
    details = federation.sts.opened(answer).session
    assert details is not None
    assert (details.tags, details.transitive_tags) == ({"team": "red", "cost": "1"}, ("team",))


def test_a_session_lasts_no_longer_than_that_of_the_provider(federation: Federation) -> None:
    ends = datetime.now(UTC) + timedelta(minutes=20)
    answer = federation.assume(federation.response(session_ends=ends))
    assert answer["Credentials"]["Expiration"] - federation.sts.now == pytest.approx(1200, abs=30)
    past = federation.refused(federation.response(session_ends=ends - timedelta(hours=1)))
    assert past[0] == "InvalidIdentityTokenException"
    shorter = federation.assume(federation.response(session_ends=ends), DurationSeconds=900)
    assert shorter["Credentials"]["Expiration"] == federation.sts.now + 900
    assert federation.refused(federation.response(), DurationSeconds=3601)[0] == "ValidationError"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"RoleSessionName": []}, "RoleSessionName is required in AuthnResponse"),
        ({"RoleSessionName": ["a b"]}, "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"),
        ({"RoleSessionName": ["ab", "cd"]}, "RoleSessionName in AuthnResponse must have one value"),
        (
            {"SourceIdentity": ["aws:x"]},
            'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"',
        ),
    ],
)
def test_attributes_that_make_no_sense_are_refused(
    federation: Federation, attributes: dict[str, list[str]], message: str
) -> None:
    changed = {ATTRIBUTES + name: values for name, values in attributes.items()}
    assert federation.refused(federation.response(attributes=changed)) == ("InvalidIdentityTokenException", message)


_NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (
            {"issued": _NOW - timedelta(minutes=10), "ends": _NOW + timedelta(hours=1)},
            ("ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance"),
        ),
        ({"ends": _NOW - timedelta(seconds=1)}, ("ExpiredTokenException", "Assertion has expired")),
        (
            {"issued": _NOW + timedelta(minutes=30)},
            ("InvalidIdentityTokenException", "Invalid SAMLResponse: its IssueInstant is not a time in the past"),
        ),
        (
            {"issuer": "https://other.example.com"},
            ("InvalidIdentityTokenException", "Issuer not present in specified provider"),
        ),
        (
            {"audience": "https://other.example.com"},
            ("InvalidIdentityTokenException", "Response does not contain the required audience."),
        ),
        (
            {"recipient": "https://signin.aws.amazon.com.example.com/saml"},
            ("InvalidIdentityTokenException", "Response does not contain the required audience."),
        ),
        ({"subject": ""}, ("InvalidIdentityTokenException", "NameID is required in AuthnResponse")),
    ],
)
def test_an_assertion_is_for_now_and_for_here(
    federation: Federation, changes: dict[str, Any], error: tuple[str, str]
) -> None:
    assert federation.refused(federation.response(**changes)) == error


def test_a_provider_must_be_there_and_of_the_same_account(federation: Federation) -> None:
    response = federation.response()
    missing = f"arn:aws:iam::{ACCOUNT}:saml-provider/missing"
    assert federation.refused(response, PrincipalArn=missing) == (
        "InvalidIdentityTokenException",
        "Specified provider doesn't exist",
    )
    elsewhere = "arn:aws:iam::222222222222:saml-provider/company"
    assert federation.refused(response, PrincipalArn=elsewhere)[0] == "ValidationError"
    assert federation.refused(response, PrincipalArn=federation.role) == (
        "ValidationError",
        "Principal ARN is invalid",
    )


def test_what_nobody_or_somebody_else_has_signed_is_refused(federation: Federation) -> None:
    assert federation.refused(federation.provider.respond(federation.assertion())) == _SIGNATURE
    forger = IdentityProvider(federation.provider.entity_id)
    assert federation.refused(forger.respond(forger.sign(federation.assertion()))) == _SIGNATURE


def test_what_was_changed_since_is_refused(federation: Federation) -> None:
    genuine = federation.response()
    assert federation.refused(genuine.replace("carol<", "admin<")) == _SIGNATURE


def _forge(federation: Federation) -> tuple[Any, Any, Any]:
    """Return a genuine response, its assertion, and one that says something else."""
    response = etree.fromstring(federation.response())
    forged = etree.fromstring(federation.assertion(id="_forged", subject="admin"))
    return response, response.find(f"{ASSERTION}Assertion"), forged


@pytest.mark.parametrize("where", ["before", "behind", "around", "in-signature", "in-extensions", "same-id"])
def test_a_signature_does_not_cover_what_it_is_wrapped_in(federation: Federation, where: str) -> None:
    """The attacks of "On Breaking SAML: Be Whoever You Want to Be" (Somorovsky et al., 2012)."""
    response, genuine, forged = _forge(federation)
    signature = genuine.find("{http://www.w3.org/2000/09/xmldsig#}Signature")
    match where:
        case "before":
            genuine.addprevious(forged)
        case "behind":
            genuine.addnext(forged)
        case "around":
            response.replace(genuine, forged)
            forged.append(genuine)
        case "in-signature":
            response.replace(genuine, forged)
            genuine.remove(signature)
            forged.insert(1, signature)
            holder = etree.SubElement(signature, "{http://www.w3.org/2000/09/xmldsig#}Object")
            holder.append(genuine)
        case "in-extensions":
            response.replace(genuine, forged)
            holder = etree.Element(f"{PROTOCOL}Extensions")
            holder.append(genuine)
            response.insert(0, holder)
        case "same-id":
            forged.set("ID", "_assertion")
            genuine.remove(signature)
            forged.insert(1, signature)
            response.replace(genuine, forged)
            response.append(genuine)
    assert federation.refused(etree.tostring(response).decode())[0] == "InvalidIdentityTokenException"


def test_a_comment_does_not_split_a_name(federation: Federation) -> None:
    genuine = federation.response(subject="carol.evil.example.com")
    split = genuine.replace("carol.evil", "carol<!-- -->.evil")
    answer = federation.assume(split)
    assert answer["Subject"] == "carol.evil.example.com"


_BOMB = (
    '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)


@pytest.mark.parametrize(
    "prologue",
    [_BOMB, '<!DOCTYPE r [<!ENTITY i SYSTEM "file:///etc/passwd">]>', '<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x.dtd">'],
)
def test_document_types_are_refused_at_once(federation: Federation, prologue: str) -> None:
    begun = time.monotonic()
    response = federation.response().replace(">carol<", ">&i;<")
    code, message = federation.refused(prologue + response)
    assert (code, message.partition(":")[0]) == ("InvalidIdentityTokenException", "Invalid SAMLResponse")
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("document", ["<", "<Response/>", "no XML", "<a>" * 5000])
def test_what_is_no_response_is_refused(federation: Federation, document: str) -> None:
    assert federation.refused(document)[0] == "InvalidIdentityTokenException"


def test_what_is_no_base64_is_refused(federation: Federation) -> None:
    params = {"RoleArn": federation.role, "PrincipalArn": federation.arn, "SAMLAssertion": "?" * 8}
    assert federation.sts.refused("AssumeRoleWithSAML", by=ANONYMOUS, **params) == (
        "InvalidIdentityTokenException",
        "Invalid base64 SAMLResponse",
    )


def test_a_response_that_tells_of_a_failure_is_none(federation: Federation) -> None:
    signed = federation.provider.sign(federation.assertion())
    code, message = federation.refused(federation.provider.respond(signed, status="Requester"))
    assert (code, message) == ("InvalidIdentityTokenException", "Invalid SAMLResponse: its status is not Success")


def test_open_mode_looks_at_the_assertion_and_at_no_policy(sts: Sts, provider: IdentityProvider) -> None:
    federation = Federation(sts, provider)
    denying = sts.role(policy({"Effect": "Deny", "Principal": "*", "Action": "sts:*"}), name="denying")
    pair = {f"{ATTRIBUTES}Role": [f"{denying},{federation.arn}"]}
    federation.assume(federation.response(attributes=pair), RoleArn=denying)
    assert federation.refused(provider.respond(federation.assertion())) == _SIGNATURE
