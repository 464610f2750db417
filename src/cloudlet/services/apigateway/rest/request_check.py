"""Whether a request is as its method wants it. Developer guide, "Request validation for REST APIs in API Gateway"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cloudlet.core.background.workers import offload_if
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.rest.binary import media_type
from cloudlet.services.apigateway.rest.refusal import Refusal
from cloudlet.services.apigateway.rest.schemas import Schema

if TYPE_CHECKING:
    from cloudlet.services.apigateway.rest.call import Call


class Check:
    """What a method's validator looks at."""

    def __init__(self, method: Document, validator: Document | None, models: Mapping[str, str]) -> None:
        rules = validator or {}
        self._required: list[tuple[str, str]] = []
        if rules.get("validateRequestParameters"):
            for name, is_required in (method.get("requestParameters") or {}).items():
                place, _, key = name.removeprefix("method.request.").partition(".")
                if is_required:
                    self._required.append((place, key))
        self._schemas: dict[str, Schema] = {}
        if rules.get("validateRequestBody"):
            self._schemas = {
                kind.lower(): Schema(models[name], models)
                for kind, name in (method.get("requestModels") or {}).items()
                if name in models
            }

    async def check(self, call: Call) -> None:
        """Raise Refusal for a request that is not as it should be."""
        missing = [key for place, key in self._required if not self._is_there(call, place, key)]
        if missing:
            raise Refusal("BAD_REQUEST_PARAMETERS", f"Missing required request parameters: [{', '.join(missing)}]")
        if not self._schemas:
            return
        schema = self._schemas.get(media_type(call.headers.get("content-type", "application/json")))
        if schema is None:
            return
        found = await offload_if(schema.takes_long(call.body), call.place.account, schema.errors, call.body)
        if found:
            raise Refusal("BAD_REQUEST_BODY", "Invalid request body", f"{found}", validation=f"[{', '.join(found)}]")

    @staticmethod
    def _is_there(call: Call, place: str, key: str) -> bool:
        if place == "header":
            return bool(call.headers.get(key.lower()))
        return bool(call.variables.get(key) if place == "path" else call.queries.get(key))
