"""`$input`: the body and the parameters of a request, or of an integration's answer.

Developer guide, "Mapping template and access logging variable reference", "Input variables".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudlet.services.apigateway.vtl import json_path, values
from cloudlet.services.apigateway.vtl.error import VtlError

_PLACES = ("path", "querystring", "header")


class Input:
    """What a template makes something of; `params` has parameters by their place: path, querystring and header."""

    def __init__(self, body: str, params: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._body = body
        self._params = {place: dict((params or {}).get(place) or {}) for place in _PLACES}
        self._document: Any = None
        self._is_read = False
        # AWS tells an empty body as an empty object.
        self.vtl_properties = {"body": body or "{}"}
        self.vtl_methods = {"json": Input.json, "path": Input.path, "params": Input.params}

    def _read(self) -> Any:
        if not self._is_read:
            try:
                self._document = values.of_json(self._body) if self._body.strip() else {}
            except VtlError:
                # A body that is no JSON is text, as a whole.
                self._document = self._body
            self._is_read = True
        return self._document

    def json(self, path: str) -> str:
        """Return what a JSON path finds, as JSON; `""` where it finds nothing."""
        found = json_path.found(self._read(), path)
        return '""' if found is None else values.to_json(found)

    def path(self, path: str) -> Any:
        """Return what a JSON path finds; empty text where it finds nothing."""
        found = json_path.found(self._read(), path)
        return "" if found is None else found

    def params(self, name: str | None = None) -> Any:
        """Return all parameters by their places, or one, looked for in path, query and headers in this order."""
        if name is None:
            return self._params
        for place in _PLACES:
            known = self._params[place]
            if name in known:
                return known[name]
        headers = self._params["header"]
        lowered = name.lower()
        return next((value for key, value in headers.items() if key.lower() == lowered), "")
