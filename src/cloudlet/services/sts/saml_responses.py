"""SAML authentication responses: which assertion is signed, and what it says.

SAML 2.0 Core; IAM User Guide, "Configure SAML assertions for the authentication response". Nothing is read but what the
provider's certificate has signed: other assertions in the document count for nothing, wherever they stand.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cloudlet.services.sts.errors import ExpiredIdentityToken, InvalidIdentityToken
from cloudlet.services.sts.safe_xml import XmlError, parse_xml
from cloudlet.services.sts.saml_metadata import SamlMetadata

_PROTOCOL: Final = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_ASSERTION: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_SIGNATURE: Final = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
_BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
MAX_AGE_SECONDS: Final = 300
MAX_SKEW_SECONDS: Final = 300
_AUDIENCES: Final = re.compile(r"urn:amazon:webservices|https://(?:[a-z0-9-]+\.)?signin\.aws\.amazon\.com/saml(?:/.*)?")


@dataclass(frozen=True, slots=True)
class Assertion:
    """The contents of a signed assertion. Times are in seconds since the epoch."""

    issuer: str
    subject: str
    subject_format: str
    recipient: str
    """The address that the response was sent to: AWS's sign-in endpoint."""
    session_ends: float | None
    attributes: dict[str, tuple[str, ...]]


def read_assertion(text: str, metadata: SamlMetadata, now: float) -> Assertion:
    """Return what a response in base64 asserts, signed by a provider, now. Raises AwsError."""
    try:
        document = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidIdentityToken("Invalid base64 SAMLResponse") from error
    try:
        response = parse_xml(document)
    except XmlError as error:
        raise InvalidIdentityToken(f"Invalid SAMLResponse: {error}") from error
    if response.tag != f"{_PROTOCOL}Response":
        raise InvalidIdentityToken("Invalid SAMLResponse: there is no Response")
    status = response.find(f"{_PROTOCOL}Status/{_PROTOCOL}StatusCode")
    if status is None or status.get("Value") != _SUCCESS:
        raise InvalidIdentityToken("Invalid SAMLResponse: its status is not Success")
    if next(response.iter(f"{_ASSERTION}EncryptedAssertion"), None) is not None:
        raise InvalidIdentityToken("Encrypted assertions are not supported")
    assertion = _find_signed(document, response, metadata, now)
    _check_times(assertion, now)
    return _read(assertion)


def _find_signed(document: bytes, response: Any, metadata: SamlMetadata, now: float) -> Any:
    """Return the assertion as it was signed, by itself or as part of its response. Raises AwsError."""
    if len(list(response.iter(f"{_ASSERTION}Assertion"))) != 1 or response.find(f"{_ASSERTION}Assertion") is None:
        raise InvalidIdentityToken("Invalid SAMLResponse: there must be one Assertion")
    if response.find(f"{_ASSERTION}Assertion/{_SIGNATURE}") is not None:
        return _verify(document, f"./{_ASSERTION}Assertion/", f"{_ASSERTION}Assertion", metadata, now)
    if response.find(_SIGNATURE) is not None:
        signed = _verify(document, "./", f"{_PROTOCOL}Response", metadata, now)
        return signed.find(f"{_ASSERTION}Assertion")
    raise InvalidIdentityToken("Response signature invalid")


def _verify(document: bytes, location: str, tag: str, metadata: SamlMetadata, now: float) -> Any:
    """Return the element with a tag that the signature at a location covers. Raises AwsError."""
    from cryptography.exceptions import InvalidSignature
    from lxml import etree
    from signxml.exceptions import SignXMLException
    from signxml.verifier import SignatureConfiguration, XMLVerifier

    config = SignatureConfiguration(location=location, verification_time=datetime.fromtimestamp(now, UTC))
    for certificate in metadata.certificates:
        try:
            result = XMLVerifier().verify(document, x509_cert=certificate, expect_config=config)
            if isinstance(result, list):
                continue
            # Comments were not signed, perhaps, and would split texts.
            signed = parse_xml(result.signed_data)
        except (SignXMLException, InvalidSignature, etree.Error, ValueError, TypeError, KeyError):
            # Another certificate may be the right one.
            continue
        if signed.tag == tag:
            return signed
    raise InvalidIdentityToken("Response signature invalid")


def _check_times(assertion: Any, now: float) -> None:
    """Raise AwsError unless an assertion is to be used now, and here."""
    issued = _parse_time(assertion.get("IssueInstant"))
    if issued is None or issued > now + MAX_SKEW_SECONDS:
        raise InvalidIdentityToken("Invalid SAMLResponse: its IssueInstant is not a time in the past")
    if issued + MAX_AGE_SECONDS < now:
        raise ExpiredIdentityToken("Token must be redeemed within 5 minutes of issuance")
    conditions = assertion.find(f"{_ASSERTION}Conditions")
    confirmation = _get_confirmation(assertion)
    for limits in (conditions, confirmation):
        if limits is None:
            continue
        begins, ends = _parse_time(limits.get("NotBefore")), _parse_time(limits.get("NotOnOrAfter"))
        if begins is not None and begins > now + MAX_SKEW_SECONDS:
            raise InvalidIdentityToken("Assertion is not valid yet")
        if ends is not None and ends <= now:
            raise ExpiredIdentityToken("Assertion has expired")
    restrictions = [] if conditions is None else conditions.findall(f"{_ASSERTION}AudienceRestriction")
    for restriction in restrictions:
        if not any(_AUDIENCES.fullmatch(_get_text(each)) for each in restriction.iterfind(f"{_ASSERTION}Audience")):
            raise InvalidIdentityToken("Response does not contain the required audience.")
    if confirmation is None or not _AUDIENCES.fullmatch(confirmation.get("Recipient", "")):
        raise InvalidIdentityToken("Response does not contain the required audience.")


def _get_confirmation(assertion: Any) -> Any:
    """Return the data of the confirmation for its bearer, None where there is none."""
    for each in assertion.iterfind(f"{_ASSERTION}Subject/{_ASSERTION}SubjectConfirmation"):
        if each.get("Method") == _BEARER:
            return each.find(f"{_ASSERTION}SubjectConfirmationData")
    return None


def _read(assertion: Any) -> Assertion:
    name = assertion.find(f"{_ASSERTION}Subject/{_ASSERTION}NameID")
    statement = assertion.find(f"{_ASSERTION}AuthnStatement")
    attributes: dict[str, tuple[str, ...]] = {}
    for each in assertion.iterfind(f"{_ASSERTION}AttributeStatement/{_ASSERTION}Attribute"):
        values = tuple(_get_text(value) for value in each.iterfind(f"{_ASSERTION}AttributeValue"))
        key = each.get("Name", "")
        attributes[key] = (*attributes.get(key, ()), *values)
    if name is None or not _get_text(name):
        raise InvalidIdentityToken("NameID is required in AuthnResponse")
    return Assertion(
        _get_text(assertion.find(f"{_ASSERTION}Issuer")),
        _get_text(name),
        name.get("Format", ""),
        _get_confirmation(assertion).get("Recipient"),
        None if statement is None else _parse_time(statement.get("SessionNotOnOrAfter")),
        attributes,
    )


def _get_text(element: Any) -> str:
    return "" if element is None else "".join(element.itertext()).strip()


_TIME: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?Z")


def _parse_time(text: str | None) -> float | None:
    """Parse a time in UTC (SAML 2.0 Core, 1.3.3). Raises AwsError."""
    if text is None:
        return None
    parts = _TIME.fullmatch(text)
    try:
        return calendar.timegm(time.strptime(parts[1] if parts else text, "%Y-%m-%dT%H:%M:%S"))
    except ValueError as error:
        raise InvalidIdentityToken("Invalid SAMLResponse: a time cannot be read") from error
