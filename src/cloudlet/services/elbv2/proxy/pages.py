"""The pages by which a load balancer answers itself, as users know them from AWS."""

from __future__ import annotations

from typing import Final

from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import names
from cloudlet.services.elbv2.proxy.resources import make_header

SERVER: Final = "awselb/2.0"
_TITLES: Final = {
    301: "Moved Permanently",
    302: "Found",
    400: "Bad Request",
    401: "Authorization Required",
    403: "Forbidden",
    405: "Not Allowed",
    408: "Request Time-out",
    413: "Request Entity Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
    561: "Authentication Error",
}
_CONNECTION_FLAGS: Final = ("UF", "UC", "UR", "UPE", "LR")
_NO_TARGET_FLAGS: Final = ("UH", "NC", "UO", "NR")
_TIMEOUT_FLAGS: Final = ("UT", "SI", "DT")


def render(status: int) -> str:
    """Return the page of a status."""
    title = f"{status} {_TITLES[status]}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n"
        f"<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )


def make_server_header() -> Resource:
    """Return the header of responses by load balancers themselves."""
    return make_header("server", SERVER)


def make_response(status: int) -> Resource:
    """Return the parts of a route that answers with a page."""
    return {
        "direct_response": {"status": status, "body": {"inline_string": render(status)}},
        "response_headers_to_add": [make_server_header(), make_header("content-type", "text/html")],
    }


def make_local_replies() -> Resource:
    """Return the pages for errors of Envoy's own, by their reasons."""
    is_malformed = {"header_filter": {"header": {"name": ":method", "present_match": True, "invert_match": True}}}
    return {
        "mappers": [
            _map(_match_status(408), 408),
            _map(_match_flags(_CONNECTION_FLAGS), 502),
            _map(_match_flags(_NO_TARGET_FLAGS), 503),
            _map(_match_flags(_TIMEOUT_FLAGS), 504),
            _map(_match_details("request_headers_too_large"), 400),
            _map(_match_details("ext_authz_error"), 500),
            # What cannot be parsed has no head yet, and none of the flags.
            _map(is_malformed, 400),
        ]
    }


def _map(found: Resource, status: int) -> Resource:
    return {
        "filter": found,
        "status_code": status,
        "body": {"inline_string": render(status)},
        "body_format_override": {
            "text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"},
            "content_type": "text/html",
        },
        "headers_to_add": [make_server_header()],
    }


def _match_status(status: int) -> Resource:
    value = {"default_value": status, "runtime_key": f"{names.METADATA}.status"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _match_flags(flags: tuple[str, ...]) -> Resource:
    return {"response_flag_filter": {"flags": list(flags)}}


def _match_details(beginning: str) -> Resource:
    # "@type" stands last in no particular order: it is one message of an extension.
    return {
        "extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                "expression": f"response.code_details.startsWith('{beginning}')",
            },
        }
    }
