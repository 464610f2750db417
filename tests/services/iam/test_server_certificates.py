"""Server certificates: certificate, key and chain fit together, and nobody is shown the key."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.services.iam import pem

_CHAIN = pem.certificate("middle", "top") + pem.certificate("top", "top")


def _params(name: str = "web", **more: Any) -> dict[str, Any]:
    return {
        "ServerCertificateName": name,
        "CertificateBody": pem.certificate("web", "middle"),
        "PrivateKey": pem.text_of(pem.key("web")),
        "CertificateChain": _CHAIN,
        **more,
    }


def test_a_certificate_is_kept_without_its_key_to_be_seen(aws: Aws, iam: Any) -> None:
    params = _params(Path="/a/", Tags=[{"Key": "team", "Value": "x"}])
    uploaded = iam.upload_server_certificate(**params)
    metadata = uploaded["ServerCertificateMetadata"]
    assert metadata["Arn"] == f"arn:aws:iam::{aws.account}:server-certificate/a/web"
    assert metadata["ServerCertificateId"].startswith("ASCA")
    assert uploaded["Tags"] == params["Tags"]
    assert iam.list_server_certificates(PathPrefix="/a/")["ServerCertificateMetadataList"] == [metadata]
    assert iam.list_server_certificates(PathPrefix="/b/")["ServerCertificateMetadataList"] == []
    got = iam.get_server_certificate(ServerCertificateName="WEB")["ServerCertificate"]
    assert got == {
        "ServerCertificateMetadata": metadata,
        "CertificateBody": params["CertificateBody"],
        "CertificateChain": params["CertificateChain"],
        "Tags": params["Tags"],
    }


def test_a_certificate_is_renamed(iam: Any) -> None:
    iam.upload_server_certificate(**_params())
    iam.upload_server_certificate(**_params("other"))
    iam.update_server_certificate(ServerCertificateName="web", NewServerCertificateName="shop", NewPath="/b/")
    assert refused(iam.get_server_certificate, ServerCertificateName="web") == (
        "NoSuchEntity",
        "The Server Certificate with name web cannot be found.",
    )
    metadata = iam.get_server_certificate(ServerCertificateName="shop")["ServerCertificate"]
    assert metadata["ServerCertificateMetadata"]["Path"] == "/b/"
    assert refused(iam.update_server_certificate, ServerCertificateName="shop", NewServerCertificateName="other") == (
        "EntityAlreadyExists",
        "The Server Certificate with name other already exists.",
    )


def test_a_certificate_is_deleted_and_its_name_free(iam: Any) -> None:
    iam.upload_server_certificate(**_params())
    assert refused(iam.upload_server_certificate, **_params("Web"))[0] == "EntityAlreadyExists"
    iam.delete_server_certificate(ServerCertificateName="web")
    iam.upload_server_certificate(**_params())
    assert refused(iam.delete_server_certificate, ServerCertificateName="none")[0] == "NoSuchEntity"


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"CertificateBody": "nothing"}, "MalformedCertificate", "Unable to parse certificate."),
        (
            {"CertificateBody": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"},
            "MalformedCertificate",
            "Unable to parse certificate.",
        ),
        ({"CertificateBody": _CHAIN}, "MalformedCertificate", "Unable to parse certificate."),
        ({"PrivateKey": "nothing"}, "MalformedCertificate", "Private key was in an unrecognized format."),
        (
            {"PrivateKey": pem.text_of(pem.key("web"), b"secret")},
            "MalformedCertificate",
            "The private key is encrypted.",
        ),
        ({"PrivateKey": pem.text_of(pem.key("other"))}, "KeyPairMismatch", "The public key certificate and"),
        ({"CertificateChain": "nothing"}, "MalformedCertificate", "Unable to parse certificate chain."),
        (
            {"CertificateChain": pem.certificate("middle", "top") + pem.certificate("other", "other")},
            "MalformedCertificate",
            "Unable to validate certificate chain.",
        ),
        (
            {"CertificateBody": pem.certificate("web", "middle", days=-1)},
            "MalformedCertificate",
            "The certificate is not in its validity period.",
        ),
    ],
)
def test_what_does_not_fit_is_refused(iam: Any, changes: dict[str, str], code: str, message: str) -> None:
    got, said = refused(iam.upload_server_certificate, **_params(**changes))
    assert got == code
    assert said.startswith(message)


def test_an_account_has_twenty(iam: Any) -> None:
    for number in range(20):
        iam.upload_server_certificate(**_params(str(number)))
    assert refused(iam.upload_server_certificate, **_params()) == (
        "LimitExceeded",
        "Cannot exceed quota for ServerCertificatesPerAccount: 20",
    )
    pages = iam.get_paginator("list_server_certificates").paginate(PaginationConfig={"PageSize": 8})
    assert [len(page["ServerCertificateMetadataList"]) for page in pages] == [8, 8, 4]


def test_a_certificate_has_tags(iam: Any) -> None:
    iam.upload_server_certificate(**_params())
    iam.tag_server_certificate(ServerCertificateName="web", Tags=[{"Key": "a", "Value": "1"}])
    assert iam.list_server_certificate_tags(ServerCertificateName="web")["Tags"] == [{"Key": "a", "Value": "1"}]
    iam.untag_server_certificate(ServerCertificateName="web", TagKeys=["a"])
    assert iam.list_server_certificate_tags(ServerCertificateName="web")["Tags"] == []
