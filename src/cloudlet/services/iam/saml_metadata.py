"""Checks of the metadata documents of SAML providers (SAML 2.0 Metadata)."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from cloudlet.core import AwsError
from cloudlet.services.iam import errors
from cloudlet.wire.xml import Element, MalformedXml, parse_document

_DEFAULT_YEARS: Final = 100


def check(document: str, now: float) -> float:
    """Check a document; return until when it is valid, by default a hundred years. Raises AwsError."""
    try:
        root = parse_document(document.encode())
    except MalformedXml:
        raise _make_error("it is not well-formed") from None
    if root.name != "EntityDescriptor" or not root.attributes.get("entityID"):
        raise _make_error("its root is no EntityDescriptor with an entityID")
    descriptors = [child for child in root.children if child.name == "IDPSSODescriptor"]
    if not descriptors:
        raise _make_error("it has no IDPSSODescriptor")
    if not any(child.name == "SingleSignOnService" for each in descriptors for child in each.children):
        raise _make_error("it has no SingleSignOnService")
    _check_certificates([certificate for each in descriptors for certificate in _list_certificates(each)])
    return _read_valid_until(root, now)


def _read_valid_until(root: Element, now: float) -> float:
    text = root.attributes.get("validUntil")
    if text is None:
        moment = datetime.fromtimestamp(now, UTC)
        # The 29th of February is not in each year.
        return moment.replace(year=moment.year + _DEFAULT_YEARS, day=min(moment.day, 28)).timestamp()
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        raise _make_error("its validUntil is no time") from None
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    if until.timestamp() <= now:
        raise _make_error("it is not valid any more")
    return until.timestamp()


def _list_certificates(element: Element) -> Iterator[str]:
    """Return the certificates in and below an element: those to sign with."""
    for child in element.children:
        if child.name == "KeyDescriptor" and child.attributes.get("use", "signing") != "signing":
            continue
        if child.name == "X509Certificate":
            yield child.text
        yield from _list_certificates(child)


def _check_certificates(certificates: list[str]) -> None:
    """Raise AwsError where there is no certificate, or one is damaged."""
    from cryptography import x509

    if not certificates:
        raise _make_error("it has no X509Certificate to sign with")
    for certificate in certificates:
        try:
            x509.load_der_x509_certificate(b64decode(certificate))
        except ValueError:
            raise _make_error("an X509Certificate is damaged") from None


def _make_error(reason: str) -> AwsError:
    return errors.invalid_input(f"Could not parse metadata: {reason}")
