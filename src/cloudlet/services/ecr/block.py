"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service
from cloudlet.services.ecr import errors

service = Service(
    "ecr",
    invalid_request=errors.reword,
    has_files=True,
    internal_failure="ServerException",
    namespace="AWS/ECR",
    hidden=("authorizationToken",),
    decides=(
        "BatchCheckLayerAvailability",
        "BatchDeleteImage",
        "BatchGetImage",
        "CompleteLayerUpload",
        "DeleteLifecyclePolicy",
        "DeleteRepository",
        "DeleteRepositoryPolicy",
        "DescribeImageReplicationStatus",
        "DescribeImageScanFindings",
        "DescribeImages",
        "DescribeRepositories",
        "GetDownloadUrlForLayer",
        "GetLifecyclePolicy",
        "GetLifecyclePolicyPreview",
        "GetRepositoryPolicy",
        "InitiateLayerUpload",
        "ListImageReferrers",
        "ListImages",
        "PutImage",
        "PutImageScanningConfiguration",
        "PutImageTagMutability",
        "PutLifecyclePolicy",
        "SetRepositoryPolicy",
        "StartImageScan",
        "StartLifecyclePolicyPreview",
        "UpdateImageStorageClass",
        "UploadLayerPart",
        *(
            f"ecr-public:{operation}"
            for operation in (
                "BatchCheckLayerAvailability",
                "BatchDeleteImage",
                "CompleteLayerUpload",
                "DeleteRepository",
                "DeleteRepositoryPolicy",
                "DescribeImageTags",
                "DescribeImages",
                "DescribeRepositories",
                "GetRepositoryCatalogData",
                "GetRepositoryPolicy",
                "InitiateLayerUpload",
                "PutImage",
                "PutRepositoryCatalogData",
                "SetRepositoryPolicy",
                "UploadLayerPart",
            )
        ),
    ),
    reserved_tag="InvalidTagParameterException",
)
