"""What methods, integrations and their responses may be. API reference, "Method", "Integration" and their responses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from cloudlet.core import Transaction
from cloudlet.services.apigateway import documents, errors, service_requests
from cloudlet.services.apigateway import templates as mapping_templates
from cloudlet.services.apigateway.answers import HEADER_NAME
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.rest import store
from cloudlet.services.apigateway.rest.resources import METHODS
from cloudlet.services.apigateway.vtl import VtlError, patterns

_AUTHORIZATIONS = ("NONE", "AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS")
_DECLARED = re.compile(r"method\.request\.(path|querystring|header)\.[^\s]+")
_TARGET = re.compile(r"integration\.request\.(path|querystring|header)\.[^\s]+")
_SOURCE = re.compile(
    r"method\.request\.(path|querystring|multivaluequerystring|header|multivalueheader)\.[^\s]+|method\.request\.body"
    r"(\..+|\[.+)?|context\.[\w.-]+|stageVariables\.[\w.-]+|'[^']*'",
    re.DOTALL,
)
_ANSWERED = re.compile(
    r"integration\.response\.(header|multivalueheader)\.[^\s]+|integration\.response\.body(\..+|\[.+)?"
    r"|context\.[\w.-]+|stageVariables\.[\w.-]+|'[^']*'",
    re.DOTALL,
)
_RESPONSE_HEADER = re.compile(rf"method\.response\.header\.{HEADER_NAME.pattern}")
_STATUS = re.compile(r"[1-5]\d\d")
_PASSTHROUGH = ("WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER")
_SHORTEST_MILLIS, LONGEST_MILLIS = 50, 29_000
_FUNCTION = re.compile(r"arn:[^:]+:apigateway:[^:]*:lambda:path/2015-03-31/functions/.+/invocations")
_SERVICE = re.compile(r"arn:[^:]+:apigateway:[^:]*:[\w.-]+:(path/.*|action/.+)")
_VARIABLE = "${stageVariables."
_NOT_SHOWN_EMPTY = (
    "credentials",
    "operationName",
    "requestModels",
    "requestParameters",
    "requestTemplates",
    "requestValidatorId",
    "responseModels",
    "responseParameters",
    "responseTemplates",
)


def check_http_method(name: str) -> None:
    """Raise BadRequestException for a method that there is not."""
    if name not in METHODS:
        raise errors.bad_request(f"Invalid HTTP method specified. It should be one of {', '.join(METHODS)}")


def _wrong_expression(*which: str) -> Exception:
    listed = ", ".join(f"Invalid mapping expression parameter specified: {each}" for each in which)
    return errors.bad_request(
        f"Invalid mapping expression specified: Validation Result: warnings : [], errors : [{listed}]"
    )


def _without_empty(part: Document) -> None:
    """Take away what is empty, which AWS does not show."""
    for member in _NOT_SHOWN_EMPTY:
        if part.get(member) in ("", {}):
            del part[member]


async def method(tx: Transaction, api_id: str, part: Document) -> Document:
    """Return a method as it is kept. Raises AwsError."""
    _without_empty(part)
    check_http_method(part["httpMethod"])
    authorization = part["authorizationType"] = part.get("authorizationType", "NONE").upper()
    if authorization not in _AUTHORIZATIONS:
        raise errors.bad_request(
            f"Invalid authorization type specified: {authorization}. It should be one of {', '.join(_AUTHORIZATIONS)}"
        )
    if authorization == "COGNITO_USER_POOLS":
        raise errors.not_built("authorization of methods by Amazon Cognito's user pools")
    if authorization == "CUSTOM":
        authorizer = part.get("authorizerId")
        if not authorizer or await documents.find_part(tx, api_id, "Authorizer", authorizer) is None:
            raise errors.bad_request(
                "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS "
                "requires a valid authorizer."
            )
    else:
        part.pop("authorizerId", None)
    if part.get("authorizationScopes"):
        raise errors.not_built("authorization scopes of methods, which are for Amazon Cognito's user pools")
    part.pop("authorizationScopes", None)
    part.setdefault("apiKeyRequired", False)
    wrong = [name for name in part.get("requestParameters") or {} if not _DECLARED.fullmatch(name)]
    if wrong:
        raise _wrong_expression(*wrong)
    for model in (part.get("requestModels") or {}).values():
        await check_model(tx, api_id, model)
    validator = part.get("requestValidatorId")
    if validator:
        await store.get_part(tx, api_id, "RequestValidator", validator)
    return part


async def check_model(tx: Transaction, api_id: str, name: str) -> None:
    """Raise BadRequestException for a model that is not there."""
    if await documents.find_part(tx, api_id, "Model", name) is None:
        raise errors.bad_request(f"Invalid model identifier specified: {name}")


async def method_response(tx: Transaction, api_id: str, part: Document) -> Document:
    """Return a method's response as it is kept. Raises AwsError."""
    _without_empty(part)
    _check_status(part["statusCode"])
    wrong = [name for name in part.get("responseParameters") or {} if not _RESPONSE_HEADER.fullmatch(name)]
    if wrong:
        raise _wrong_expression(*wrong)
    for model in (part.get("responseModels") or {}).values():
        await check_model(tx, api_id, model)
    return part


def _check_status(status: str) -> None:
    if not _STATUS.fullmatch(status):
        raise errors.bad_request("Invalid status code specified")


def check_templates(templates: Iterable[str | None]) -> None:
    """Raise BadRequestException for templates that cannot be read."""
    for template in templates:
        try:
            mapping_templates.check(template or "")
        except VtlError as error:
            raise errors.bad_request(f"Invalid mapping template specified: {error}") from error


def check_pattern(pattern: str, what: str) -> None:
    """Raise BadRequestException for a regular expression that is none."""
    try:
        patterns.matches("", pattern)
    except VtlError:
        raise errors.bad_request(f"Invalid {what} specified") from None


def integration(owner: Document, part: Document, *, is_linked: bool) -> Document:
    """Return the integration of a method (`owner`) as it is kept; `is_linked`: it has a VPC link. Raises AwsError."""
    _without_empty(part)
    kind = part["type"]
    if part.setdefault("connectionType", "INTERNET") == "VPC_LINK" and not is_linked:
        raise errors.bad_request("Invalid Vpc Link identifier specified")
    if part["connectionType"] == "INTERNET":
        # AWS does not show what is as usual.
        part.pop("connectionType")
        part.pop("connectionId", None)
    if part.pop("responseTransferMode", "BUFFERED") != "BUFFERED":
        raise errors.not_built("integrations whose answers are streamed")
    if part.get("integrationTarget"):
        raise errors.not_built("load balancers as targets of integrations")
    if (part.get("tlsConfig") or {}).get("insecureSkipVerification"):
        raise errors.not_built("integrations that do not verify certificates")
    if not _SHORTEST_MILLIS <= part.setdefault("timeoutInMillis", LONGEST_MILLIS) <= LONGEST_MILLIS:
        raise errors.bad_request(f"Timeout should be between {_SHORTEST_MILLIS} ms and {LONGEST_MILLIS} ms")
    if part.setdefault("passthroughBehavior", "WHEN_NO_MATCH") not in _PASSTHROUGH:
        raise errors.bad_request(f"Invalid passthrough behavior specified. It is one of {', '.join(_PASSTHROUGH)}")
    check_templates((part.get("requestTemplates") or {}).values())
    _check_target(kind, part)
    check_request_mapping(part.get("requestParameters") or {}, owner)
    declared = {*(owner.get("requestParameters") or {}), "method.request.body"}
    unknown = [
        name
        for name in part.setdefault("cacheKeyParameters", [])
        if name not in declared and not name.startswith("integration.request.")
    ]
    if unknown:
        raise errors.bad_request(f"Invalid cache key parameter specified: {unknown[0]}")
    return part


def _check_target(kind: str, part: Document) -> None:
    if kind == "MOCK":
        part.pop("uri", None)
        return
    if not part.get("httpMethod"):
        raise errors.bad_request("Enumeration value for HttpMethod must be non-empty")
    check_http_method(part["httpMethod"])
    uri = part.get("uri") or ""
    if kind in ("HTTP", "HTTP_PROXY"):
        if not _is_url(uri) and part.get("connectionType") != "VPC_LINK":
            raise errors.bad_request("Invalid HTTP endpoint specified for URI")
        return
    if kind == "AWS_PROXY":
        if not _FUNCTION.fullmatch(uri):
            if ":firehose:" in uri:
                raise errors.not_built("AWS_PROXY integrations with Amazon Data Firehose")
            raise errors.bad_request(
                "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream "
                "invocations."
            )
        part.setdefault("contentHandling", "CONVERT_TO_TEXT")
    elif not _SERVICE.fullmatch(uri):
        raise errors.bad_request("Invalid ARN specified in the request")
    elif _VARIABLE not in uri:
        service_requests.address_of(uri)
    if kind == "AWS" and not _FUNCTION.fullmatch(uri) and not part.get("credentials"):
        raise errors.bad_request("AWS integrations require a role ARN in credentials")


def _is_url(uri: str) -> bool:
    if _VARIABLE in uri:
        return True
    try:
        parts = urlsplit(uri)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def check_request_mapping(parameters: Document, owner: Document) -> None:
    """Raise BadRequestException for a mapping to what is no parameter, or from one that the method does not declare."""
    declared = owner.get("requestParameters") or {}
    wrong = [name for name in parameters if not _TARGET.fullmatch(name)]
    for source in parameters.values():
        if not _SOURCE.fullmatch(source):
            wrong.append(source)
        elif source.startswith("method.request.") and not source.startswith("method.request.body"):
            single = source.replace(".multivalue", ".", 1)
            if single not in declared:
                wrong.append(source)
    if wrong:
        raise _wrong_expression(*wrong)


def integration_response(owner: Document, part: Document) -> Document:
    """Return the response of an integration, of a method, as it is kept. Raises AwsError.

    The method's own response may follow; until then its headers are not there to be mapped to.
    """
    _without_empty(part)
    _check_status(part["statusCode"])
    known = (owner.get("methodResponses") or {}).get(part["statusCode"]) or {}
    declared = known.get("responseParameters") or {}
    wrong = [name for name in part.get("responseParameters") or {} if name not in declared]
    wrong += [each for each in (part.get("responseParameters") or {}).values() if not _ANSWERED.fullmatch(each)]
    if wrong:
        raise _wrong_expression(*wrong)
    check_templates((part.get("responseTemplates") or {}).values())
    pattern = part.get("selectionPattern")
    if pattern:
        check_pattern(pattern, "selection pattern")
    return part
