"""SAML and OpenID Connect providers."""

from __future__ import annotations

import ssl
from base64 import b64encode
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.services.iam import pem

_THUMBPRINT = "3768084dfb3d2b68b7897bf5f565da8efEXAMPLE"


def _metadata(attributes: str = "", descriptor: str | None = None) -> str:
    """Return a metadata document of a provider, long enough for AWS."""
    certificate = b64encode(ssl.PEM_cert_to_DER_cert(pem.certificate("idp", "idp"))).decode()
    usual = f"""<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
      <KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>
        <ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>
      <SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example"/>
    </IDPSSODescriptor>"""
    return f"""<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example"
    {attributes}>    {usual if descriptor is None else descriptor}
    <Extensions>{"." * 1000}</Extensions></EntityDescriptor>"""


def test_a_saml_provider_has_its_document(aws: Aws, iam: Any) -> None:
    made = iam.create_saml_provider(Name="Idp", SAMLMetadataDocument=_metadata(), Tags=[{"Key": "a", "Value": "1"}])
    arn = made["SAMLProviderArn"]
    assert arn == f"arn:aws:iam::{aws.account}:saml-provider/Idp"
    assert made["Tags"] == [{"Key": "a", "Value": "1"}]
    got = iam.get_saml_provider(SAMLProviderArn=arn)
    assert "IDPSSODescriptor" in got["SAMLMetadataDocument"]
    assert got["ValidUntil"].year - got["CreateDate"].year == 100
    assert got["Tags"] == made["Tags"]
    (listed,) = iam.list_saml_providers()["SAMLProviderList"]
    assert listed == {key: {**got, "Arn": arn}[key] for key in ("Arn", "ValidUntil", "CreateDate")}
    assert refused(iam.create_saml_provider, Name="Idp", SAMLMetadataDocument=_metadata()) == (
        "EntityAlreadyExists",
        "SAMLProvider with name Idp already exists.",
    )


def test_a_document_says_until_when_it_is_valid(iam: Any) -> None:
    arn = iam.create_saml_provider(Name="idp", SAMLMetadataDocument=_metadata())["SAMLProviderArn"]
    until = 'validUntil="2099-01-02T03:04:05Z"'
    assert (
        iam.update_saml_provider(SAMLProviderArn=arn, SAMLMetadataDocument=_metadata(until))["SAMLProviderArn"] == arn
    )
    got = iam.get_saml_provider(SAMLProviderArn=arn)
    assert got["ValidUntil"].isoformat() == "2099-01-02T03:04:05+00:00"
    assert until in got["SAMLMetadataDocument"]


@pytest.mark.parametrize(
    "document",
    [
        "<" * 1000,
        _metadata().replace("EntityDescriptor", "Entity"),
        _metadata(descriptor=""),
        _metadata(descriptor="<IDPSSODescriptor></IDPSSODescriptor>"),
        _metadata(descriptor="<IDPSSODescriptor><SingleSignOnService/></IDPSSODescriptor>"),
        _metadata(
            descriptor="<IDPSSODescriptor><SingleSignOnService/><KeyDescriptor><X509Certificate>AAAA</X509Certificate>"
            "</KeyDescriptor></IDPSSODescriptor>"
        ),
        _metadata('validUntil="2001-01-02T03:04:05Z"'),
        _metadata('validUntil="soon"'),
        '<!DOCTYPE a [<!ENTITY b "c">]>' + _metadata(),
    ],
)
def test_a_document_of_no_use_is_refused(iam: Any, document: str) -> None:
    code, message = refused(iam.create_saml_provider, Name="idp", SAMLMetadataDocument=document)
    assert code == "InvalidInput"
    assert message.startswith("Could not parse metadata")


def test_encrypted_assertions_and_identity_center_are_not_there(iam: Any) -> None:
    params = {"Name": "idp", "SAMLMetadataDocument": _metadata(), "AssertionEncryptionMode": "Allowed"}
    assert refused(iam.create_saml_provider, **params)[0] == "NotImplemented"


def test_a_saml_provider_is_deleted(aws: Aws, iam: Any) -> None:
    arn = iam.create_saml_provider(Name="idp", SAMLMetadataDocument=_metadata())["SAMLProviderArn"]
    iam.tag_saml_provider(SAMLProviderArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    assert iam.list_saml_provider_tags(SAMLProviderArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    iam.untag_saml_provider(SAMLProviderArn=arn, TagKeys=["a"])
    iam.delete_saml_provider(SAMLProviderArn=arn)
    missing = ("NoSuchEntity", f"Manifest not found for arn {arn}")
    assert refused(iam.delete_saml_provider, SAMLProviderArn=arn) == missing
    assert refused(iam.get_saml_provider, SAMLProviderArn=arn) == missing
    wrong = f"arn:aws:iam::{aws.account}:role/idp"
    assert refused(iam.get_saml_provider, SAMLProviderArn=wrong) == ("InvalidInput", f"ARN {wrong} is not valid.")


def _oidc(iam: Any, **more: Any) -> str:
    """Create an OpenID Connect provider; return its ARN."""
    arn: str = iam.create_open_id_connect_provider(
        **{"Url": "https://idp.example/Tenant", "ClientIDList": ["app"], "ThumbprintList": [_THUMBPRINT], **more}
    )["OpenIDConnectProviderArn"]
    return arn


def test_an_oidc_provider_goes_by_its_url(aws: Aws, iam: Any) -> None:
    arn = _oidc(iam, Tags=[{"Key": "a", "Value": "1"}])
    assert arn == f"arn:aws:iam::{aws.account}:oidc-provider/idp.example/Tenant"
    got = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert got["Url"] == "idp.example/Tenant"
    assert (got["ClientIDList"], got["ThumbprintList"]) == (["app"], [_THUMBPRINT])
    assert got["Tags"] == [{"Key": "a", "Value": "1"}]
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": arn}]
    assert refused(_oidc, iam) == (
        "EntityAlreadyExists",
        "Provider with url https://idp.example/Tenant already exists.",
    )


def test_client_ids_come_and_go(iam: Any) -> None:
    arn = _oidc(iam)
    for client_id in ("other", "app"):
        iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID=client_id)
    for client_id in ("app", "none"):
        iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID=client_id)
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"] == ["other"]


def test_a_provider_has_a_hundred_client_ids_at_most(iam: Any) -> None:
    arn = _oidc(iam, ClientIDList=[str(number) for number in range(100)])
    assert refused(iam.add_client_id_to_open_id_connect_provider, OpenIDConnectProviderArn=arn, ClientID="one") == (
        "LimitExceeded",
        "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100",
    )


def test_thumbprints_are_replaced(iam: Any) -> None:
    arn = _oidc(iam)
    update = iam.update_open_id_connect_provider_thumbprint
    update(OpenIDConnectProviderArn=arn, ThumbprintList=["0" * 40])
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ThumbprintList"] == ["0" * 40]
    assert refused(update, OpenIDConnectProviderArn=arn, ThumbprintList=["0" * 40] * 6)[0] == "InvalidInput"


@pytest.mark.parametrize(
    "url", ["http://idp.example", "idp.example", "https://idp.example?a=b", "https://", "https://[::1"]
)
def test_a_url_is_one_of_https(iam: Any, url: str) -> None:
    assert refused(_oidc, iam, Url=url) == ("ValidationError", "Invalid Open ID Connect Provider URL")


def test_an_oidc_provider_is_deleted_more_than_once(iam: Any) -> None:
    arn = _oidc(iam)
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    assert iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"][0]["Key"] == "a"
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["a"])
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert refused(iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn) == (
        "NoSuchEntity",
        f"OpenIDConnect Provider not found for arn {arn}",
    )
