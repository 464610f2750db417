"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service
from cloudlet.services.s3.errors import reword

service = Service(
    "s3",
    invalid_request=reword,
    admits_anonymous=True,
    data_events=(
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CopyObject",
        "CreateMultipartUpload",
        "DeleteObject",
        "DeleteObjectTagging",
        "DeleteObjects",
        "GetObject",
        "GetObjectAcl",
        "GetObjectAttributes",
        "GetObjectLegalHold",
        "GetObjectRetention",
        "GetObjectTagging",
        "GetWebsiteIndex",
        "GetWebsiteObject",
        "HeadBucket",
        "HeadObject",
        "HeadWebsiteIndex",
        "HeadWebsiteObject",
        "ListMultipartUploads",
        "ListObjectVersions",
        "ListObjects",
        "ListObjectsV2",
        "ListParts",
        "PostObject",
        "PreflightBucket",
        "PreflightObject",
        "PutObject",
        "PutObjectAcl",
        "PutObjectLegalHold",
        "PutObjectRetention",
        "PutObjectTagging",
        "RestoreObject",
        "SelectObjectContent",
        "UpdateObjectEncryption",
        "UploadPart",
        "UploadPartCopy",
    ),
)
