"""What may be configured of CORS. Developer guide, "Configure CORS for HTTP APIs in API Gateway"."""

from __future__ import annotations

from typing import Any

from cloudlet.services.apigateway import errors

_METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "*")
_LONGEST_AGE = 86_400
Configuration = dict[str, Any]


def check(configuration: Configuration) -> Configuration:
    """Return a configuration as it is kept. Raises BadRequestException."""
    for method in configuration.get("AllowMethods") or ():
        if method not in _METHODS:
            raise errors.bad_request(f"{method} is not a supported CORS method")
    age = configuration.get("MaxAge")
    if age is not None and not -1 <= age <= _LONGEST_AGE:
        raise errors.bad_request(f"MaxAge must be between -1 and {_LONGEST_AGE}")
    if configuration.get("AllowCredentials") and "*" in (configuration.get("AllowOrigins") or ()):
        raise errors.bad_request("allowCredentials is not supported for '*' origins")
    for member in ("AllowOrigins", "AllowHeaders", "ExposeHeaders"):
        for value in configuration.get(member) or ():
            if not value or not value.isascii() or not value.isprintable():
                raise errors.bad_request(f"Invalid value in {member}")
    for origin in configuration.get("AllowOrigins") or ():
        if origin != "*" and "://" not in origin:
            raise errors.bad_request("Invalid format for origin: it has the form scheme://host, or is '*'")
    return {key: value for key, value in configuration.items() if value is not None}
