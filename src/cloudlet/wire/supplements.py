"""What the services speak although botocore's models no longer say so.

botocore's SQS model was moved from the query protocol to JSON, and lost the names of the query form on the way.
The service still answers both, and older SDKs and plain curl calls use the query form. The names and codes here
are those of the SQS API reference and of the query examples in its developer guide. S3's model does not give the
root elements of its answers; they are those of the S3 API reference.
"""

from __future__ import annotations

from typing import Any

from cloudlet.wire.internal_operations import add_internal_operations
from cloudlet.wire.timestamps import MILLISECONDS

_SQS_MEMBERS = {
    "AWSAccountIds": "AWSAccountId",
    "Actions": "ActionName",
    "AttributeNames": "AttributeName",
    "Attributes": "Attribute",
    "BinaryListValues": "BinaryListValue",
    "Entries": "",
    "Failed": "BatchResultErrorEntry",
    "MessageAttributeNames": "MessageAttributeName",
    "MessageAttributes": "MessageAttribute",
    "MessageSystemAttributeNames": "MessageSystemAttributeName",
    "MessageSystemAttributes": "MessageSystemAttribute",
    "Messages": "Message",
    "QueueUrls": "QueueUrl",
    "Results": "ListMessageMoveTasksResultEntry",
    "StringListValues": "StringListValue",
    "Successful": "",
    "TagKeys": "TagKey",
    "Tags": "Tag",
    "queueUrls": "QueueUrl",
    "tags": "Tag",
}

_SQS_ERRORS = {
    "BatchEntryIdsNotDistinct": ("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400),
    "BatchRequestTooLong": ("AWS.SimpleQueueService.BatchRequestTooLong", 400),
    "EmptyBatchRequest": ("AWS.SimpleQueueService.EmptyBatchRequest", 400),
    "InvalidBatchEntryId": ("AWS.SimpleQueueService.InvalidBatchEntryId", 400),
    "InvalidParameterValueException": ("InvalidParameterValue", 400),
    "InvalidSecurity": ("InvalidSecurity", 403),
    "KmsAccessDenied": ("KMS.AccessDeniedException", 400),
    "KmsDisabled": ("KMS.DisabledException", 400),
    "KmsInvalidKeyUsage": ("KMS.InvalidKeyUsageException", 400),
    "KmsInvalidState": ("KMS.InvalidStateException", 400),
    "KmsNotFound": ("KMS.NotFoundException", 400),
    "KmsOptInRequired": ("KMS.OptInRequired", 403),
    "KmsThrottled": ("KMS.ThrottlingException", 400),
    "MessageNotInflight": ("AWS.SimpleQueueService.MessageNotInflight", 400),
    "MissingRequiredParameterException": ("MissingParameter", 400),
    "OverLimit": ("OverLimit", 403),
    "PurgeQueueInProgress": ("AWS.SimpleQueueService.PurgeQueueInProgress", 403),
    "QueueDeletedRecently": ("AWS.SimpleQueueService.QueueDeletedRecently", 400),
    "QueueDoesNotExist": ("AWS.SimpleQueueService.NonExistentQueue", 400),
    "QueueNameExists": ("QueueAlreadyExists", 400),
    "RequestThrottled": ("RequestThrottled", 403),
    "ResourceNotFoundException": ("ResourceNotFoundException", 404),
    "TooManyEntriesInBatchRequest": ("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", 400),
    "UnsupportedOperation": ("AWS.SimpleQueueService.UnsupportedOperation", 400),
}

_SQS_UNLISTED_ERRORS = ("InvalidParameterValueException", "MissingRequiredParameterException")
"""Errors that SQS answers though its model has them not."""

_S3_ROOTS = {
    "CompleteMultipartUploadOutput": "CompleteMultipartUploadResult",
    "CreateMultipartUploadOutput": "InitiateMultipartUploadResult",
    "CreateSessionOutput": "CreateSessionResult",
    "DeleteObjectsOutput": "DeleteResult",
    "GetBucketAccelerateConfigurationOutput": "AccelerateConfiguration",
    "GetBucketAclOutput": "AccessControlPolicy",
    "GetBucketCorsOutput": "CORSConfiguration",
    "GetBucketLifecycleConfigurationOutput": "LifecycleConfiguration",
    "GetBucketLifecycleOutput": "LifecycleConfiguration",
    "GetBucketLocationOutput": "LocationConstraint",
    "GetBucketLoggingOutput": "BucketLoggingStatus",
    "GetBucketRequestPaymentOutput": "RequestPaymentConfiguration",
    "GetBucketTaggingOutput": "Tagging",
    "GetBucketVersioningOutput": "VersioningConfiguration",
    "GetBucketWebsiteOutput": "WebsiteConfiguration",
    "GetObjectAclOutput": "AccessControlPolicy",
    "GetObjectAttributesOutput": "GetObjectAttributesResponse",
    "GetObjectTaggingOutput": "Tagging",
    "ListBucketAnalyticsConfigurationsOutput": "ListBucketAnalyticsConfigurationResult",
    "ListBucketIntelligentTieringConfigurationsOutput": "ListBucketIntelligentTieringConfigurationsResult",
    "ListBucketInventoryConfigurationsOutput": "ListInventoryConfigurationsResult",
    "ListBucketMetricsConfigurationsOutput": "ListMetricsConfigurationsResult",
    "ListBucketsOutput": "ListAllMyBucketsResult",
    "ListDirectoryBucketsOutput": "ListAllMyDirectoryBucketsResult",
    "ListMultipartUploadsOutput": "ListMultipartUploadsResult",
    "ListObjectVersionsOutput": "ListVersionsResult",
    "ListObjectsOutput": "ListBucketResult",
    "ListObjectsV2Output": "ListBucketResult",
    "ListPartsOutput": "ListPartsResult",
    "NotificationConfigurationDeprecated": "NotificationConfiguration",
}

_S3_WORDS = ("CompressionType", "ExpressionType", "FileHeaderInfo", "FilterRuleName", "JSONType", "QuoteFields")
"""The words of documents that S3 takes in capital and in small letters; which there are is for the block to say."""

_ERROR_NAMESPACES = {
    "sqs": "com.amazonaws.sqs#",
    "dynamodb": "com.amazonaws.dynamodb.v20120810#",
    "dynamodbstreams": "com.amazonaws.dynamodb.v20120810#",
}
"""The namespaces that real services put before the `__type` of their errors; clients strip them."""

_COMMON_NAMESPACES = {"ValidationException": "com.amazon.coral.validate#"}
_COMMON_NAMESPACE = "com.amazon.coral.service#"


LARGEST_REQUESTS = {"dynamodb": 16 << 20, "dynamodbstreams": 16 << 20}
"""How many bytes a request's body may have, decompressed, where a service says so."""

SUMMED = frozenset(("dynamodb", "dynamodbstreams"))
"""Services whose answers, errors too, have a header with the CRC-32 of the body, compressed where it is sent so. SDKs
compare it where there is one; Go's warns of each answer that has none."""


def error_namespace(service: str, code: str, *, modeled: bool) -> str:
    """Return what a service puts before the `__type` of an error; "" where that is not known.

    Errors that no model has are those of the front end that all services share.
    """
    own = _ERROR_NAMESPACES.get(service, "")
    return own if modeled or not own else _COMMON_NAMESPACES.get(code, _COMMON_NAMESPACE)


def supplement(service: str, description: dict[str, Any]) -> None:
    """Add to a botocore description what the service speaks beyond it, in place."""
    metadata, shapes = description["metadata"], description["shapes"]
    if service == "sqs":
        _supplement_sqs(metadata, shapes)
    elif service == "s3":
        metadata["xmlNamespace"] = "http://s3.amazonaws.com/doc/2006-03-01/"
        for shape, root in _S3_ROOTS.items():
            if shape in shapes:
                shapes[shape]["locationName"] = root
        if "ChecksumMode" in shapes:
            # The SDK for C++, and so Arrow, sends it in small letters.
            shapes["ChecksumMode"]["enum"] = ["ENABLED", "enabled"]
        if "CopySource" in shapes:
            # The slash behind the bucket may be percent-encoded, as AWS's examples for Java write it.
            shapes["CopySource"].pop("pattern", None)
        if "BucketCannedACL" in shapes:
            # User guide, "Access control list (ACL) overview", "Canned ACL".
            shapes["BucketCannedACL"]["enum"].append("log-delivery-write")
        for shape in _S3_WORDS:
            if shape in shapes:
                del shapes[shape]["enum"]
        _write_milliseconds(shapes)
        _add_what_browsers_send(description["operations"], shapes)
    elif service == "xray":
        _add_what_opentelemetry_sends(description["operations"], shapes)
    add_internal_operations(service, description)


def _supplement_sqs(metadata: dict[str, Any], shapes: dict[str, Any]) -> None:
    metadata["protocols"] = ["json", "query"]
    metadata["xmlNamespace"] = "http://queue.amazonaws.com/doc/2012-11-05/"
    for shape in shapes.values():
        for name, member in shape.get("members", {}).items():
            if name in _SQS_MEMBERS:
                element = shapes[member["shape"]].get("member", {}).get("shape")
                member["queryName"] = _SQS_MEMBERS[name] or element
        if shape["type"] == "map":
            shape["key"]["queryName"] = "Name"
            shape["value"]["queryName"] = "Value"
    if "TagMap" in shapes:
        shapes["TagMap"]["key"]["queryName"] = "Key"
    _admit_system_attributes(shapes)
    for name in _SQS_UNLISTED_ERRORS:
        shapes[name] = {"type": "structure", "members": {"message": {"shape": "String"}}, "exception": True}
    for name, (code, status) in _SQS_ERRORS.items():
        if name in shapes:
            shapes[name]["error"] = {"code": code, "httpStatusCode": status, "senderFault": True}


def _write_milliseconds(shapes: dict[str, Any]) -> None:
    """Have dates in S3's documents written as all examples of its API reference have them: `…T17:50:30.000Z`."""
    for shape in shapes.values():
        for member in shape.get("members", {}).values():
            if "location" not in member and shapes[member["shape"]]["type"] == "timestamp":
                member["timestampFormat"] = MILLISECONDS


WEBSITE = "x-cloudlet-website"
"""The query parameter that tells requests to a bucket's website endpoint, once its host is out of the way."""


def _add_what_browsers_send(operations: dict[str, Any], shapes: dict[str, Any]) -> None:
    """Add S3's operations that no SDK has: forms, CORS preflights, and the website endpoint.

    API reference, "POST Object" and "OPTIONS object"; user guide, "Website endpoints".
    """

    def add(name: str, method: str, uri: str, members: dict[str, Any], output: str) -> None:
        own = {
            "Bucket": {"shape": "BucketName", "location": "uri", "locationName": "Bucket"},
            "Key": {"shape": "ObjectKey", "location": "uri", "locationName": "Key"},
        }
        named = {member: own[member] for member in own if f"{{{member}" in uri}
        shapes[f"{name}Request"] = {"type": "structure", "required": list(named), "members": {**named, **members}}
        if "Body" in members:
            shapes[f"{name}Request"]["payload"] = "Body"
        operations[name] = {
            "name": name,
            "http": {"method": method, "requestUri": uri},
            "input": {"shape": f"{name}Request"},
            "output": {"shape": output},
        }

    def header(shape: str, name: str) -> dict[str, str]:
        return {"shape": shape, "location": "header", "locationName": name}

    shapes["PostObjectOutput"] = {
        "type": "structure",
        "members": {
            "Body": {"shape": "Body"},
            "ContentType": header("ContentType", "Content-Type"),
            "ETag": header("ETag", "ETag"),
            "Location": header("Location", "Location"),
        },
        "payload": "Body",
    }
    shapes["PreflightOutput"] = {
        "type": "structure",
        "members": {"Body": {"shape": "Body"}, "ContentType": header("ContentType", "Content-Type")},
        "payload": "Body",
    }
    form = {"ContentType": header("ContentType", "Content-Type"), "Body": {"shape": "Body", "streaming": True}}
    conditions = {
        name: member
        for name, member in shapes["GetObjectRequest"]["members"].items()
        if name in ("IfMatch", "IfModifiedSince", "IfNoneMatch", "IfUnmodifiedSince", "Range")
    }
    add("PostObject", "POST", "/{Bucket}", form, "PostObjectOutput")
    add("PreflightBucket", "OPTIONS", "/{Bucket}", {}, "PreflightOutput")
    add("PreflightObject", "OPTIONS", "/{Bucket}/{Key+}", {}, "PreflightOutput")
    # A website is only looked at; whoever tries something else is told so on a page, and what he sends is not read.
    sent = {"Body": {"shape": "Body", "streaming": True}}
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"):
        verb, members = method.capitalize(), conditions if method in ("GET", "HEAD") else sent
        add(f"{verb}WebsiteIndex", method, f"/{{Bucket}}?{WEBSITE}", members, "GetObjectOutput")
        add(f"{verb}WebsiteObject", method, f"/{{Bucket}}/{{Key+}}?{WEBSITE}", members, "GetObjectOutput")


def _add_what_opentelemetry_sends(operations: dict[str, Any], shapes: dict[str, Any]) -> None:
    """Add X-Ray's endpoint for OTLP, which no AWS SDK has. CloudWatch user guide, "OTLP endpoints"."""
    message = {
        "type": "structure",
        "members": {
            "ContentType": {"shape": "String", "location": "header", "locationName": "Content-Type"},
            "Body": {"shape": "OtlpMessage"},
        },
        "payload": "Body",
    }
    shapes |= {"OtlpMessage": {"type": "blob"}, "PutSpansRequest": message, "PutSpansResult": message}
    operations["PutSpans"] = {
        "name": "PutSpans",
        "http": {"method": "POST", "requestUri": "/v1/traces"},
        "input": {"shape": "PutSpansRequest"},
        "output": {"shape": "PutSpansResult"},
    }


def _admit_system_attributes(shapes: dict[str, Any]) -> None:
    """Let ReceiveMessage's deprecated AttributeNames name what it gives out.

    The model lists the attributes of queues there, but the parameter asks for those of messages (API reference,
    ReceiveMessage), and that is what programs put into it.
    """
    receive = shapes.get("ReceiveMessageRequest", {}).get("members", {}).get("AttributeNames")
    if receive is None:
        return
    names = [*shapes["MessageSystemAttributeName"]["enum"], *shapes["QueueAttributeName"]["enum"]]
    listed = dict(shapes[receive["shape"]])
    listed["member"] = {**listed["member"], "shape": "ReceivedAttributeName"}
    shapes["ReceivedAttributeName"] = {"type": "string", "enum": sorted(set(names))}
    shapes["ReceivedAttributeNames"] = listed
    receive["shape"] = "ReceivedAttributeNames"
