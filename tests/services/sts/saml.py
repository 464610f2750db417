"""A SAML identity provider of the tests' own."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml import XMLSigner
from signxml.algorithms import CanonicalizationMethod, SignatureMethod

SIGN_IN = "https://signin.aws.amazon.com/saml"
ATTRIBUTES = "https://aws.amazon.com/SAML/Attributes/"
ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"
PROTOCOL = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_NAMESPACES = 'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'


def written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.123Z")


class IdentityProvider:
    """Signs assertions with its key."""

    def __init__(self, entity_id: str = "https://idp.example.com/saml") -> None:
        self.entity_id = entity_id
        self._key = rsa.generate_private_key(65537, 2048)
        now = datetime.now(UTC)
        names = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp.example.com")])
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(names)
            .issuer_name(names)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=365))
            .sign(self._key, hashes.SHA256())
        )

    def metadata(self) -> str:
        """Return its metadata document."""
        der = base64.b64encode(self._certificate.public_bytes(Encoding.DER)).decode()
        return (
            f'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{self.entity_id}" '
            f'validUntil="2099-01-01T00:00:00Z">'
            '<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
            '<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>'
            f"<X509Certificate>{der}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
            '<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
            f'Location="{self.entity_id}/sso"/>'
            "</IDPSSODescriptor></EntityDescriptor>"
        )

    def assertion(self, role: str, provider: str, **changes: Any) -> str:
        """Return an assertion that is not signed yet, with some of its parts changed."""
        now = datetime.now(UTC)
        parts: dict[str, Any] = {
            "id": "_assertion",
            "issued": now,
            "ends": now + timedelta(minutes=5),
            "session_ends": None,
            "issuer": self.entity_id,
            "subject": "carol",
            "format": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
            "recipient": SIGN_IN,
            "audience": "urn:amazon:webservices",
            **changes,
        }
        attributes = {
            f"{ATTRIBUTES}Role": [f"{role},{provider}"],
            f"{ATTRIBUTES}RoleSessionName": ["carol@example.com"],
            **changes.get("attributes", {}),
        }
        session = "" if parts["session_ends"] is None else f' SessionNotOnOrAfter="{written(parts["session_ends"])}"'
        listed = "".join(
            f'<saml:Attribute Name="{name}">'
            + "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
            + "</saml:Attribute>"
            for name, values in attributes.items()
        )
        return (
            f'<saml:Assertion {_NAMESPACES} ID="{parts["id"]}" Version="2.0" IssueInstant="{written(parts["issued"])}">'
            f"<saml:Issuer>{parts['issuer']}</saml:Issuer>"
            f'<saml:Subject><saml:NameID Format="{parts["format"]}">{parts["subject"]}</saml:NameID>'
            '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
            f'<saml:SubjectConfirmationData NotOnOrAfter="{written(parts["ends"])}" Recipient="{parts["recipient"]}"/>'
            "</saml:SubjectConfirmation></saml:Subject>"
            f'<saml:Conditions NotBefore="{written(parts["issued"])}" NotOnOrAfter="{written(parts["ends"])}">'
            f"<saml:AudienceRestriction><saml:Audience>{parts['audience']}</saml:Audience></saml:AudienceRestriction>"
            "</saml:Conditions>"
            f'<saml:AuthnStatement AuthnInstant="{written(parts["issued"])}"{session}><saml:AuthnContext/>'
            "</saml:AuthnStatement>"
            f"<saml:AttributeStatement>{listed}</saml:AttributeStatement></saml:Assertion>"
        )

    def sign(self, document: str, id: str = "_assertion") -> str:
        """Return an element that has a signature of itself."""
        signer = XMLSigner(
            signature_algorithm=SignatureMethod.RSA_SHA256,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        pem = self._certificate.public_bytes(Encoding.PEM).decode()
        signed = signer.sign(etree.fromstring(document), key=self._key, cert=pem, reference_uri=id)
        return etree.tostring(signed).decode()

    def respond(self, *assertions: str, status: str = "Success") -> str:
        """Return a response that is not signed."""
        return (
            f'<samlp:Response {_NAMESPACES} ID="_response" Version="2.0" Destination="{SIGN_IN}">'
            f"<saml:Issuer>{self.entity_id}</saml:Issuer>"
            f'<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:{status}"/></samlp:Status>'
            f"{''.join(assertions)}</samlp:Response>"
        )


def encoded(document: str) -> str:
    return base64.b64encode(document.encode()).decode()
