"""The metadata document of a SAML identity provider (SAML 2.0 Metadata, 2.3 and 2.4.1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography import x509

from cloudlet.services.sts.safe_xml import XmlError, parse_xml

_METADATA: Final = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_SIGNATURE: Final = "{http://www.w3.org/2000/09/xmldsig#}"


@dataclass(frozen=True, slots=True)
class SamlMetadata:
    """The name of a provider, and the certificates that it signs with."""

    entity_id: str
    certificates: tuple[x509.Certificate, ...]

    @classmethod
    def parse(cls, document: str) -> SamlMetadata:
        """Parse a metadata document. Raises XmlError."""
        root = parse_xml(document.encode())
        found = next(root.iter(f"{_METADATA}EntityDescriptor"), None)
        if found is None:
            raise XmlError("there is no EntityDescriptor")
        certificates = []
        for descriptor in found.iterfind(f"{_METADATA}IDPSSODescriptor/{_METADATA}KeyDescriptor"):
            if descriptor.get("use", "signing") != "signing":
                continue
            for each in descriptor.iter(f"{_SIGNATURE}X509Certificate"):
                text = "".join((each.text or "").split())
                pem = f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"
                try:
                    certificates.append(x509.load_pem_x509_certificate(pem.encode()))
                except ValueError as error:
                    raise XmlError("a certificate cannot be read") from error
        return cls(found.get("entityID", ""), tuple(certificates))
