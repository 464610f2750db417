"""Attributes of SAML assertions that policies have under names of their own.

IAM User Guide, "Available keys for SAML-based AWS STS federation" and "Mapping SAML attributes to AWS trust policy
context keys".
"""

from __future__ import annotations

from typing import Final

_EDU_PERSON: Final = "urn:oid:1.3.6.1.4.1.5923.1.1.1."
_EDU_ORG: Final = "urn:oid:1.3.6.1.4.1.5923.1.2.1."
_CLAIMS: Final = "http://schemas.xmlsoap.org/claims/"
_IDENTITY_CLAIMS: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"

SINGLE_VALUED: Final = {
    f"{_EDU_PERSON}3": "saml:edupersonorgdn",
    f"{_EDU_PERSON}5": "saml:edupersonprimaryaffiliation",
    f"{_EDU_PERSON}6": "saml:edupersonprincipalname",
    f"{_EDU_PERSON}8": "saml:edupersonprimaryorgunitdn",
    f"{_IDENTITY_CLAIMS}name": "saml:name",
    f"{_CLAIMS}CommonName": "saml:commonName",
    f"{_IDENTITY_CLAIMS}givenname": "saml:givenName",
    f"{_IDENTITY_CLAIMS}surname": "saml:surname",
    f"{_IDENTITY_CLAIMS}emailaddress": "saml:mail",
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid": "saml:primaryGroupSID",
    "urn:oid:2.5.4.4": "saml:surname",
    "urn:oid:2.5.4.42": "saml:givenName",
    "urn:oid:2.5.4.45": "saml:x500UniqueIdentifier",
    "urn:oid:0.9.2342.19200300.100.1.1": "saml:uid",
    "urn:oid:0.9.2342.19200300.100.1.3": "saml:mail",
    "urn:oid:0.9.2342.19200300.100.1.45": "saml:organizationStatus",
}
"""The condition key of each attribute that has one value."""

MULTIVALUED: Final = {
    f"{_EDU_PERSON}1": "saml:edupersonaffiliation",
    f"{_EDU_PERSON}2": "saml:edupersonnickname",
    f"{_EDU_PERSON}4": "saml:edupersonorgunitdn",
    f"{_EDU_PERSON}7": "saml:edupersonentitlement",
    f"{_EDU_PERSON}9": "saml:edupersonscopedaffiliation",
    f"{_EDU_PERSON}10": "saml:edupersontargetedid",
    f"{_EDU_PERSON}11": "saml:edupersonassurance",
    f"{_EDU_ORG}2": "saml:eduorghomepageuri",
    f"{_EDU_ORG}3": "saml:eduorgidentityauthnpolicyuri",
    f"{_EDU_ORG}4": "saml:eduorglegalname",
    f"{_EDU_ORG}5": "saml:eduorgsuperioruri",
    f"{_EDU_ORG}6": "saml:eduorgwhitepagesuri",
    "urn:oid:2.5.4.3": "saml:cn",
}
"""The condition key of each attribute that may have several values."""
