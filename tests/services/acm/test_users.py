"""Certificates and the users of their account, where permissions are enforced."""

from __future__ import annotations

from typing import Any

import pytest

from tests.certificates import request_validated
from tests.strict_accounts import Account, Caller, allow, deny, is_denied

_ALL = "ForAllValues:StringLike"


def _is_refused(caller: Caller, **params: Any) -> bool:
    """Request a certificate; return whether policies do not allow it."""
    named = {"DomainName": "shop.example.com", "ValidationMethod": "DNS", **params}
    return is_denied(caller.client("acm").request_certificate, **named)


@pytest.mark.parametrize(
    ("condition", "admitted", "refused"),
    [
        (
            {_ALL: {"acm:DomainNames": "*.example.com"}},
            {"SubjectAlternativeNames": ["api.example.com"]},
            {"SubjectAlternativeNames": ["api.example.org"]},
        ),
        ({"StringEquals": {"acm:KeyAlgorithm": "RSA_2048"}}, {}, {"KeyAlgorithm": "EC_prime256v1"}),
        (
            {"StringEquals": {"acm:CertificateTransparencyLogging": "ENABLED"}},
            {},
            {"Options": {"CertificateTransparencyLoggingPreference": "DISABLED"}},
        ),
        ({"StringEquals": {"acm:Export": "ENABLED"}}, {"Options": {"Export": "ENABLED"}}, {}),
        ({"StringEquals": {"acm:ValidationMethod": "DNS"}}, {}, {"ValidationMethod": "EMAIL"}),
        (
            {"ArnNotLike": {"acm:CertificateAuthority": "arn:aws:acm-pca:*:*:certificate-authority/secret"}},
            {},
            {"CertificateAuthorityArn": "arn:aws:acm-pca:us-east-1:111111111111:certificate-authority/secret"},
        ),
        (
            {"StringEquals": {"aws:RequestTag/team": "shop"}},
            {"Tags": [{"Key": "team", "Value": "shop"}]},
            {"Tags": [{"Key": "team", "Value": "other"}]},
        ),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": "team"}}, {}, {"Tags": [{"Key": "cost", "Value": "1"}]}),
    ],
)
def test_what_is_asked_for_decides(
    strict_account: Account, condition: dict[str, Any], admitted: dict[str, Any], refused: dict[str, Any]
) -> None:
    alice = strict_account.user(allow("acm:RequestCertificate", Condition=condition), allow("acm:AddTagsToCertificate"))
    assert not _is_refused(alice, **admitted)
    assert _is_refused(alice, **refused)


def test_nobody_requests_without_permission(strict_account: Account) -> None:
    assert _is_refused(strict_account.user())
    assert _is_refused(strict_account.user(allow("acm:*"), deny("acm:RequestCertificate"), name="bob"))


def test_the_tags_of_a_certificate_decide(strict_account: Account) -> None:
    root = strict_account.client("acm")
    arns = {
        team: root.request_certificate(
            DomainName="a.example.com", ValidationMethod="DNS", Tags=[{"Key": "team", "Value": team}]
        )["CertificateArn"]
        for team in ("shop", "other")
    }
    own = {"StringEquals": {"aws:ResourceTag/team": "shop"}}
    actions = ["acm:DescribeCertificate", "acm:DeleteCertificate", "acm:ExportCertificate"]
    alice = strict_account.user(allow(actions, Condition=own)).client("acm")
    assert alice.describe_certificate(CertificateArn=arns["shop"])["Certificate"]["Status"]
    for call, more in ((alice.describe_certificate, {}), (alice.export_certificate, {"Passphrase": b"word"})):
        assert is_denied(call, CertificateArn=arns["other"], **more)
    assert is_denied(alice.delete_certificate, CertificateArn=arns["other"])
    alice.delete_certificate(CertificateArn=arns["shop"])


def test_the_names_of_a_certificate_decide_who_exports_it(strict_account: Account) -> None:
    arns = [
        request_validated(strict_account, DomainName=name, Options={"Export": "ENABLED"})
        for name in ("a.example.com", "a.example.org")
    ]
    own = {_ALL: {"acm:DomainNames": "*.example.com"}}
    alice = strict_account.user(allow(["acm:ExportCertificate", "acm:RevokeCertificate"], Condition=own)).client("acm")
    assert alice.export_certificate(CertificateArn=arns[0], Passphrase=b"word")["PrivateKey"]
    assert is_denied(alice.export_certificate, CertificateArn=arns[1], Passphrase=b"word")
    assert is_denied(alice.revoke_certificate, CertificateArn=arns[1], RevocationReason="SUPERSEDED")
    alice.revoke_certificate(CertificateArn=arns[0], RevocationReason="SUPERSEDED")
