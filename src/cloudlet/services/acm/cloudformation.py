"""The resource types of AWS Certificate Manager."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties, Ready, ResourceType


def _make_options(properties: Properties) -> dict[str, Any] | None:
    made = {
        member: properties[name]
        for name, member in (
            ("CertificateTransparencyLoggingPreference", "CertificateTransparencyLoggingPreference"),
            ("CertificateExport", "Export"),
        )
        if name in properties
    }
    return made or None


_CONFIGURE: Final = Call("PutAccountConfiguration", {"ExpiryEvents": "ExpiryEventsConfiguration"})


def _make_default_events(properties: Properties) -> dict[str, int]:
    return {"DaysBeforeExpiry": 45}


RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::CertificateManager::Account",
        "acm",
        create=_CONFIGURE,
        updates=(_CONFIGURE,),
        delete=Call(
            "PutAccountConfiguration",
            {"ExpiryEvents": _make_default_events, "IdempotencyToken": lambda properties: "default"},
        ),
        attributes={"AccountId": "{account}"},
    ),
    ResourceType(
        "AWS::CertificateManager::Certificate",
        "acm",
        create=Call("RequestCertificate", {"Options": _make_options}),
        read=Call("DescribeCertificate"),
        updates=(Call("UpdateCertificateOptions", {"Options": _make_options}),),
        delete=Call("DeleteCertificate"),
        tag=Call("AddTagsToCertificate"),
        untag=Call(
            "RemoveTagsFromCertificate",
            {"Tags": lambda properties: [{"Key": key} for key in properties["TagKeys"]]},
        ),
        ready=(
            Ready(
                "Certificate.Status",
                ("ISSUED",),
                ("FAILED", "VALIDATION_TIMED_OUT"),
                "Certificate.FailureReason",
            ),
        ),
    ),
)
