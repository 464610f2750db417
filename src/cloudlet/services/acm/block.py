"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service
from cloudlet.core.aws import tag_operations

service = Service(
    "acm",
    namespace="AWS/CertificateManager",
    hidden=("Passphrase", "PrivateKey"),
    resource_tags=tag_operations.find_tags,
    decides=("ExportCertificate", "RequestCertificate", "RevokeCertificate"),
    reserved_tag="InvalidTagException",
)
