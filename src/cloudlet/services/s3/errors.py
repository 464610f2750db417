"""The errors of S3 in AWS's words (API reference, "Error responses")."""

from __future__ import annotations

from cloudlet.core import AwsError
from cloudlet.wire import InvalidRequest, WireError
from cloudlet.wire.errors import Violation

_UNKNOWN_VALUES = {
    "ACL": ("x-amz-acl", ""),
    "ObjectOwnership": ("x-amz-object-ownership", "Invalid x-amz-object-ownership header"),
    "MetadataDirective": ("x-amz-metadata-directive", "Unknown metadata directive."),
    "AnnotationDirective": ("x-amz-object-annotation-directive", "Unknown annotation directive."),
    "TaggingDirective": ("x-amz-tagging-directive", "Unknown tagging directive."),
    "ObjectLockMode": ("x-amz-object-lock-mode", "Unknown wormMode directive."),
    "ObjectLockLegalHoldStatus": ("x-amz-object-lock-legal-hold", "Legal Hold must be either of 'ON' or 'OFF'"),
    "ServerSideEncryption": ("x-amz-server-side-encryption", "The encryption method specified is not supported"),
    "ObjectAttributes": ("x-amz-object-attributes", "Invalid attribute name specified."),
    "EncodingType": ("encoding-type", "Invalid Encoding Method specified in Request"),
}
"""What has one of a few values, by its members in the model: its name in requests, and what S3 says of any other."""
_NUMBERS = frozenset(("max-keys", "max-parts", "max-uploads", "part-number-marker"))
_UNKNOWN_CHECKSUMS = {
    "ChecksumAlgorithm": "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
    "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
    "ChecksumType": "Value for x-amz-checksum-type header is invalid.",
}


def reword(request: InvalidRequest) -> WireError:
    """Return the error that S3 answers for a request that the model does not admit."""
    if request.code == "SerializationException":
        return _unreadable(request)
    for violation in request.violations:
        if violation.path.endswith(".kMSKeyArn"):
            return _unfit_key_arn(violation)
        if violation.kind == "required" and request.code == "MalformedXML" and "." not in violation.path:
            # What is not there is the whole document.
            return missing_body()
        if violation.kind == "enum" and (error := _unknown_value(violation)) is not None:
            return error
        if violation.kind == "required" and violation.member == "ObjectAttributes":
            return invalid_request(
                "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or "
                "empty"
            )
    return request


def _unreadable(request: InvalidRequest) -> AwsError:
    for violation in request.violations:
        if violation.member == "partNumber":
            return invalid_part_number(violation.value)
        if violation.member in _NUMBERS:
            message = f"Provided {violation.member} not an integer or within integer range"
            return invalid_argument(message, violation.member, violation.value)
    return AwsError("InvalidArgument", request.message, status=400)


def _unknown_value(violation: Violation) -> AwsError | None:
    if violation.member == "StorageClass":
        return invalid_storage_class(str(violation.value))
    if violation.path.endswith(".locationConstraint"):
        return _unfit_location(str(violation.value))
    if violation.member in _UNKNOWN_CHECKSUMS:
        return invalid_request(_UNKNOWN_CHECKSUMS[violation.member])
    if violation.member in _UNKNOWN_VALUES:
        header, message = _UNKNOWN_VALUES[violation.member]
        value = violation.value
        return invalid_argument(message, header, ",".join(map(str, value)) if isinstance(value, list) else value)
    return None


def _unfit_location(constraint: str) -> AwsError:
    if constraint != "us-east-1":
        return illegal_location(constraint)
    # That is a region, but what no constraint says.
    return AwsError(
        "InvalidLocationConstraint",
        "The specified location-constraint is not valid",
        status=400,
        LocationConstraint=constraint,
    )


def illegal_location(constraint: str) -> AwsError:
    return AwsError(
        "IllegalLocationConstraintException",
        f"The {constraint} location constraint is incompatible for the region specific endpoint this request was sent "
        "to.",
        status=400,
    )


def _unfit_key_arn(violation: Violation) -> AwsError:
    """Return what API reference, "UpdateObjectEncryption", has for a key that is not there, or no ARN of a key."""
    modify = "Requests that modify an object's encryption type to SSE-KMS require"
    if violation.kind == "required":
        return invalid_request(
            f"{modify} an AWS KMS key Amazon Resource Name (ARN). Modify the request to specify a KMS key ARN, and "
            "then try again."
        )
    return invalid_request(
        f"{modify} a valid AWS KMS key Amazon Resource Name (ARN). Confirm that you have a correctly formatted KMS key "
        "ARN in your request, and then try again."
    )


def no_such_bucket(name: str) -> AwsError:
    return AwsError("NoSuchBucket", "The specified bucket does not exist", status=404, BucketName=name)


def make_missing_configuration_error(code: str, message: str, bucket: str) -> AwsError:
    """Return the error about a configuration that a bucket does not have."""
    return AwsError(code, message, status=404, BucketName=bucket)


def no_such_key(key: str) -> AwsError:
    return AwsError("NoSuchKey", "The specified key does not exist.", status=404, Key=key)


def no_such_version(key: str, version_id: str) -> AwsError:
    return AwsError("NoSuchVersion", "The specified version does not exist.", status=404, Key=key, VersionId=version_id)


def no_such_upload(upload_id: str) -> AwsError:
    return AwsError(
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed.",
        status=404,
        UploadId=upload_id,
    )


def access_denied(message: str = "Access Denied") -> AwsError:
    return AwsError("AccessDenied", message, status=403)


def invalid_argument(message: str, name: str, value: object) -> AwsError:
    return AwsError("InvalidArgument", message, status=400, ArgumentName=name, ArgumentValue=str(value))


def invalid_part_number(number: object) -> AwsError:
    return invalid_argument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", number)


def invalid_request(message: str) -> AwsError:
    return AwsError("InvalidRequest", message, status=400)


def method_not_allowed(method: str, resource_type: str) -> AwsError:
    return AwsError(
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
        status=405,
        Method=method,
        ResourceType=resource_type,
    )


def malformed_xml() -> AwsError:
    return AwsError(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
        status=400,
    )


def missing_body() -> AwsError:
    return AwsError("MissingRequestBodyError", "Request Body is empty", status=400)


def not_implemented(what: str) -> AwsError:
    """The answer to a header or parameter that Cloudlet has not built."""
    return AwsError("NotImplemented", f"Cloudlet's S3 does not implement {what}. See docs/services/s3.md.", status=501)


def invalid_storage_class(name: str) -> AwsError:
    return AwsError(
        "InvalidStorageClass", "The storage class you specified is not valid", status=400, StorageClassRequested=name
    )
