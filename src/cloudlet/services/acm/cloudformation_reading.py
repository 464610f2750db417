"""The way to read resources of AWS Certificate Manager."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading, read_tags


def _find_alternatives(properties: Properties) -> list[Any]:
    """Return the names of a certificate beside its first one."""
    answer = properties[ANSWER]
    return [name for name in answer.get("SubjectAlternativeNames") or () if name != answer["DomainName"]]


READINGS: Final = {
    "AWS::CertificateManager::Account": Reading(
        Read(Call("GetAccountConfiguration"), {"ExpiryEventsConfiguration": "ExpiryEvents"}, is_exact=True)
    ),
    "AWS::CertificateManager::Certificate": Reading(
        Read(
            Call("DescribeCertificate"),
            {
                "SubjectAlternativeNames": _find_alternatives,
                "CertificateTransparencyLoggingPreference": "Options.CertificateTransparencyLoggingPreference",
                "CertificateExport": "Options.Export",
            },
            root="Certificate",
        ),
        (read_tags("ListTagsForCertificate", "CertificateArn", "CertificateArn"),),
        Listing(Call("ListCertificates")),
    ),
}
