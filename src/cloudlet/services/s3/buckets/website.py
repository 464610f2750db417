"""Buckets as websites: what may be stored as a website configuration, and where its rules send a request.

S3 user guide, "Hosting a static website using Amazon S3", "(Optional) Configuring a webpage redirect"; API reference,
"PutBucketWebsite".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any, NamedTuple
from urllib.parse import quote

from cloudlet.core import AwsError
from cloudlet.services.s3 import errors

_HOST = re.compile(r"[A-Za-z0-9._~\[\]:-]+")
_MOST_RULES = 50
_PROTOCOLS = ("http", "https")
_STATUS = re.compile(r"[0-9]{3}")

Document = Mapping[str, Any]


def checked(document: Document) -> Document:
    """Return a WebsiteConfiguration to store. Raises AwsError."""
    everything = document.get("RedirectAllRequestsTo")
    if everything is not None:
        if len(document) > 1:
            raise _invalid(
                "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
                "RedirectAllRequestsTo",
            )
        if not everything.get("HostName"):
            raise errors.malformed_xml()
        _check_target(everything)
        return document
    index = document.get("IndexDocument")
    if index is None:
        raise _invalid(
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty", "IndexDocument"
        )
    if not index.get("Suffix") or "/" in index["Suffix"]:
        raise _invalid("The IndexDocument Suffix is not well formed", "IndexDocument")
    if "ErrorDocument" in document and not document["ErrorDocument"].get("Key"):
        raise errors.malformed_xml()
    rules = document.get("RoutingRules") or ()
    if len(rules) > _MOST_RULES:
        raise errors.invalid_request(
            f"{len(rules)} routing rules provided, the number of routing rules in a website "
            f"configuration is limited to {_MOST_RULES}."
        )
    for rule in rules:
        _check_rule(rule)
    return document


def _check_rule(rule: Document) -> None:
    redirect, condition = rule.get("Redirect") or {}, rule.get("Condition")
    if not redirect:
        raise errors.malformed_xml()
    if "ReplaceKeyWith" in redirect and "ReplaceKeyPrefixWith" in redirect:
        raise errors.invalid_request("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
    _check_target(redirect)
    code = redirect.get("HttpRedirectCode")
    if code is not None and not (_STATUS.fullmatch(code) and 300 < int(code) < 400):
        raise errors.invalid_request(
            f"The provided HTTP redirect code ({code}) is not valid. Valid codes are 3XX except 300."
        )
    if condition is None:
        return
    error = condition.get("HttpErrorCodeReturnedEquals")
    if error is None and condition.get("KeyPrefixEquals") is None:
        raise errors.invalid_request(
            "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't "
            "be present."
        )
    if error is not None and not (_STATUS.fullmatch(error) and 400 <= int(error) < 600):
        raise errors.invalid_request(
            f"The provided HTTP error code ({error}) is not valid. Valid codes are 4XX or 5XX."
        )


def _check_target(redirect: Document) -> None:
    host = redirect.get("HostName")
    if host is not None and _HOST.fullmatch(host) is None:
        raise errors.invalid_request(f"The host name '{host}' is not valid.")
    protocol = redirect.get("Protocol")
    if protocol is not None and protocol not in _PROTOCOLS:
        raise errors.invalid_request(
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected "
            "automatically."
        )


def _invalid(message: str, name: str) -> AwsError:
    return AwsError("InvalidArgument", message, status=400, ArgumentName=name)


class Redirect(NamedTuple):
    """Where a browser is sent."""

    status: int
    location: str


def redirect(document: Document, key: str, host: str, *, secure: bool, error: int | None) -> Redirect | None:
    """Return where a request for `key` is sent, None where it is to be answered here.

    `host` is the website's own; `error` is the status that the request has failed with, None before it is tried.
    """
    protocol = "https" if secure else "http"
    everything = document.get("RedirectAllRequestsTo")
    if everything is not None:
        return Redirect(301, f"{everything.get('Protocol') or protocol}://{everything['HostName']}/{_quoted(key)}")
    for rule in document.get("RoutingRules") or ():
        condition = rule.get("Condition") or {}
        prefix, code = condition.get("KeyPrefixEquals") or "", condition.get("HttpErrorCodeReturnedEquals")
        if not key.startswith(prefix) or (None if code is None else int(code)) != error:
            continue
        target = rule["Redirect"]
        if "ReplaceKeyWith" in target:
            key = target["ReplaceKeyWith"]
        elif "ReplaceKeyPrefixWith" in target:
            key = target["ReplaceKeyPrefixWith"] + key[len(prefix) :]
        status = int(target.get("HttpRedirectCode") or 301)
        return Redirect(
            status, f"{target.get('Protocol') or protocol}://{target.get('HostName') or host}/{_quoted(key)}"
        )
    return None


def _quoted(key: str) -> str:
    return quote(key, safe="/~!*'();:@&=+$,?#[]%")


def index_key(document: Document, key: str) -> str:
    """Return the key of the object that answers for a path: the index document of what looks like a folder."""
    return key + document["IndexDocument"]["Suffix"] if not key or key.endswith("/") else key


def error_page(status: int, reason: str, facts: Mapping[str, str], missing: str | None = None) -> bytes:
    """Return the page that a browser is shown for an error, where the website has none of its own.

    `missing` is the code of the error that the website's own error document could not be had for.
    """
    title = f"{status} {reason}"
    parts = ["<html>", f"<head><title>{title}</title></head>", "<body>", f"<h1>{title}</h1>", "<ul>"]
    parts += [f"<li>{escape(name)}: {escape(value)}</li>" for name, value in facts.items()]
    parts.append("</ul>")
    if missing is not None:
        parts.append("<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>")
        parts.append(f"<ul>\n<li>Code: {escape(missing)}</li>\n</ul>")
    return "\n".join([*parts, "<hr/>", "</body>", "</html>", ""]).encode()
