"""Custom domain names as the first version of API Gateway shows them; they are the ones of the second version.

API reference, "DomainName" and "BasePathMapping".
"""

from __future__ import annotations

import re
from typing import Any

from cloudlet.core import Context, Params, Transaction
from cloudlet.core.kernel import ids
from cloudlet.services.apigateway import domains, errors, tagging
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.rest import patches
from cloudlet.services.apigateway.rest.patches import Path

NONE = "(none)"
"""The base path of all paths, as it is shown."""
_NAME = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
BASE_PATH = re.compile(r"[A-Za-z0-9._$-]{1,300}")
_ZONES = {"REGIONAL": "Z1UJRXOUMOOFQ8", "EDGE": "Z2FDTNDATAQYW2"}
"""The ids of the hosted zones, for alias records."""
_UNBUILT = (
    "certificateBody",
    "certificateChain",
    "certificatePrivateKey",
    "mutualTlsAuthentication",
    "ownershipVerificationCertificateArn",
    "policy",
)


def _configuration(domain: Document) -> Document:
    found: Document = domain["DomainNameConfigurations"][0]
    return found


def get_certificate(domain: Document) -> str:
    """Return the ARN of the certificate of a domain."""
    arn: str = _configuration(domain)["CertificateArn"]
    return arn


def created(ctx: Context, params: Params) -> Document:
    """Return a new domain as it is kept. Raises AwsError."""
    for member in _UNBUILT:
        if params.get(member):
            raise errors.not_built(f"{member} of domain names: TLS is the front door's")
    if params.get("endpointAccessMode", "BASIC") != "BASIC":
        raise errors.not_built("endpoint access modes of domain names")
    if params.get("routingMode", "BASE_PATH_MAPPING_ONLY") != "BASE_PATH_MAPPING_ONLY":
        raise errors.not_built("routing rules of domain names")
    name = params["domainName"].lower()
    if not _NAME.fullmatch(name):
        raise errors.bad_request("Invalid domain name specified")
    endpoint = params.get("endpointConfiguration") or {}
    kind = (endpoint.get("types") or ["REGIONAL" if "regionalCertificateArn" in params else "EDGE"])[0]
    if kind == "PRIVATE":
        raise errors.not_built("private custom domain names")
    if endpoint.get("ipAddressType", "ipv4") != "ipv4":
        raise errors.not_built("domain names of the IP address type dualstack")
    prefix = "regionalCertificate" if kind == "REGIONAL" else "certificate"
    if f"{prefix}Arn" not in params:
        raise errors.bad_request("The certificate of the domain name must be given: " + f"{prefix}Arn")
    label = ids.token(10, "abcdefghijklmnopqrstuvwxyz0123456789")
    target = f"d-{label}.execute-api.{ctx.region}.amazonaws.com" if kind == "REGIONAL" else f"d{label}.cloudfront.net"
    configuration = {
        "ApiGatewayDomainName": target,
        "CertificateArn": params[f"{prefix}Arn"],
        "DomainNameStatus": "AVAILABLE",
        "EndpointType": kind,
        "HostedZoneId": _ZONES[kind],
        "IpAddressType": "ipv4",
        "SecurityPolicy": params.get("securityPolicy", "TLS_1_2"),
    }
    if f"{prefix}Name" in params:
        configuration["CertificateName"] = params[f"{prefix}Name"]
    return {
        "DomainName": name,
        "DomainNameConfigurations": [configuration],
        "ApiMappingSelectionExpression": "$request.basepath",
        "RoutingMode": "API_MAPPING_ONLY",
    }


async def shown(ctx: Context, tx: Transaction, domain: Document) -> dict[str, Any]:
    """Return a domain as answers have it."""
    configuration = _configuration(domain)
    kind = configuration["EndpointType"]
    path = f"domainnames/{domain['DomainName']}"
    result = {
        "domainName": domain["DomainName"],
        "domainNameArn": tagging.arn(ctx.region, path),
        "domainNameStatus": configuration["DomainNameStatus"],
        "endpointConfiguration": {"types": [kind], "ipAddressType": configuration["IpAddressType"]},
        "securityPolicy": configuration["SecurityPolicy"],
        "routingMode": "BASE_PATH_MAPPING_ONLY",
        **await tagging.shown(tx, tagging.key(ctx, path)),
    }
    start, certificate = ("regional", "regionalCertificate") if kind == "REGIONAL" else ("distribution", "certificate")
    result[f"{start}DomainName"] = configuration["ApiGatewayDomainName"]
    result[f"{start}HostedZoneId"] = configuration["HostedZoneId"]
    result[f"{certificate}Arn"] = configuration["CertificateArn"]
    if "CertificateName" in configuration:
        result[f"{certificate}Name"] = configuration["CertificateName"]
    return result


def _set(member: str, kind: str = "") -> patches.Apply:
    def apply(domain: Document, path: list[str], operation: str, given: str | None) -> None:
        configuration = _configuration(domain)
        if kind and configuration["EndpointType"] != kind:
            raise errors.bad_request(f"Invalid patch path '/{path[0]}': the endpoint type is not {kind}")
        configuration[member] = patches.read_value(patches.text, path, given)

    return apply


PATHS = (
    Path("/certificateArn", patches.REPLACE, _set("CertificateArn", "EDGE")),
    Path("/certificateName", patches.REPLACE, _set("CertificateName", "EDGE")),
    Path("/regionalCertificateArn", patches.REPLACE, _set("CertificateArn", "REGIONAL")),
    Path("/regionalCertificateName", patches.REPLACE, _set("CertificateName", "REGIONAL")),
    Path("/securityPolicy", patches.REPLACE, _set("SecurityPolicy")),
)
MAPPING_PATHS = (
    patches.value("/basePath"),
    patches.value("/restapiId"),
    patches.value("/restApiId"),
    patches.value("/stage"),
)


def shown_mapping(mapping: Document) -> dict[str, Any]:
    """Return a mapping as answers have it."""
    result = {"basePath": mapping.get("ApiMappingKey") or NONE, "restApiId": mapping["ApiId"]}
    return {**result, "stage": mapping["Stage"]} if mapping.get("Stage") else result


async def mapping_of(tx: Transaction, domain: str, base_path: str) -> Document:
    """Return the mapping of a base path of a domain. Raises NotFoundException."""
    wanted = "" if base_path == NONE else base_path
    for mapping in await domains.mappings(tx, domain):
        if mapping.get("ApiMappingKey", "") == wanted:
            return mapping
    raise errors.not_found("Invalid base path mapping identifier specified")
