"""CORS that a gateway does itself, for the applications behind it.

API Gateway's developer guide, "Configure CORS for HTTP APIs in API Gateway"; Lambda's, "Cross-origin resource sharing
(CORS)" of function URLs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Configuration = Mapping[str, Any]
"""AllowOrigins, AllowMethods, AllowHeaders, ExposeHeaders, AllowCredentials, MaxAge, as the APIs have them."""


class Cors:
    """A compiled configuration."""

    def __init__(self, configuration: Configuration) -> None:
        self._origins = [origin.lower() for origin in configuration.get("AllowOrigins") or ()]
        self._methods = configuration.get("AllowMethods") or ()
        self._headers = configuration.get("AllowHeaders") or ()
        self._exposed = ",".join(configuration.get("ExposeHeaders") or ())
        self._credentials = bool(configuration.get("AllowCredentials"))
        self._age = configuration.get("MaxAge")

    def _allowed_origin(self, origin: str) -> str | None:
        lowered = origin.lower()
        for allowed in self._origins:
            if allowed == "*":
                return "*"
            if allowed == lowered:
                return origin
            scheme, star, host = allowed.partition("*")
            if star and lowered.startswith(scheme) and lowered.endswith(host) and len(lowered) > len(allowed) - 1:
                return origin
        return None

    def preflight(self, headers: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return the headers of the answer to a preflight request; none where the origin is not allowed."""
        allowed = self._allowed_origin(headers.get("origin", ""))
        if allowed is None:
            return []
        result = [("access-control-allow-origin", allowed)]
        if self._methods:
            result.append(("access-control-allow-methods", ",".join(self._methods)))
        if self._headers:
            result.append(("access-control-allow-headers", ",".join(self._headers)))
        if self._age is not None:
            result.append(("access-control-max-age", str(self._age)))
        return result + self._common()

    def simple(self, origin: str) -> list[tuple[str, str]]:
        """Return the headers of the answer to any other request from an origin."""
        allowed = self._allowed_origin(origin)
        if allowed is None:
            return []
        return [("access-control-allow-origin", allowed), *self._common()]

    def _common(self) -> list[tuple[str, str]]:
        result = []
        if self._exposed:
            result.append(("access-control-expose-headers", self._exposed))
        if self._credentials:
            result.append(("access-control-allow-credentials", "true"))
        return result
