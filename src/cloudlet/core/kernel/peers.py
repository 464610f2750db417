"""Blocks that run elsewhere: reached through their public API, over HTTP, as the block that calls."""

from __future__ import annotations

import time

from cloudlet.core.kernel.clock import Clock
from cloudlet.core.kernel.context import IDEMPOTENCY_HEADER, SOURCE_ARN_HEADER, TRACE_HEADER
from cloudlet.core.kernel.errors import AwsError, unavailable
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.service import Params, Result
from cloudlet.core.kernel.tokens import TemporaryCredentials, TokenSealer
from cloudlet.engines.http_client import HttpClient, HttpError
from cloudlet.wire import WireError, client, load, sigv4
from cloudlet.wire.cbor import MalformedCbor

_CREDENTIALS_SECONDS = 3600
_RENEWED_SECONDS = 600
_MOST_CREDENTIALS = 1000
_CONNECTIONS = 2000
"""To one block at a time: an account may have half as many functions running, each for minutes."""
_TIMEOUT_SECONDS = 30.0
_LONG_SECONDS = {("lambda", "Invoke"): 930.0}
"""What operations are given that may take longer: a function 15 minutes, and its start."""
_LARGEST_RESPONSE_BYTES = 64 << 20


class Peers:
    """The way to blocks that run elsewhere.

    Requests are signed with temporary credentials of the service principal that calls, which any process can verify
    that has the same master key.
    """

    def __init__(self, tokens: TokenSealer, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock
        self._client = HttpClient(connections=_CONNECTIONS)
        self._credentials: dict[tuple[object, ...], TemporaryCredentials] = {}

    async def call(
        self,
        address: str,
        service: str,
        operation: str,
        params: Params,
        *,
        principal: Principal,
        region: str,
        source_arn: str = "",
        trace: str | None = None,
        once: str = "",
    ) -> Result:
        """Call an operation of the block at a base URL. Raises AwsError; `ServiceUnavailable` where it is down."""
        model = load(service)
        called = model.operations[operation]
        request = client.request_for(called, params)
        credentials = self._credentials_of(principal)
        # The clock here is the system's: it is what signatures are checked against.
        timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = {
            **request.headers,
            "host": address.partition("://")[2],
            "x-amz-date": timestamp,
            "x-amz-security-token": credentials.session_token,
        }
        if source_arn:
            headers[SOURCE_ARN_HEADER] = source_arn
        if trace:
            headers[TRACE_HEADER] = trace
        if once:
            headers[IDEMPOTENCY_HEADER] = once
        request.headers = headers
        headers["authorization"] = sigv4.sign(
            request, credentials.access_key, credentials.secret_key, region, model.signing_name, timestamp
        )
        body = request.body if isinstance(request.body, bytes) else b""
        try:
            response = await self._client.request(
                "POST",
                address + request.path,
                headers.items(),
                body,
                timeout=_LONG_SECONDS.get((service, operation), _TIMEOUT_SECONDS),
                limit=_LARGEST_RESPONSE_BYTES,
            )
            return client.result_of(called, response.status, response.body)
        except HttpError as error:
            raise unavailable() from error
        except MalformedCbor as error:
            raise AwsError("InternalFailure", f"{service} answered what cannot be read: {error}", status=500) from error
        except AwsError:
            raise
        except WireError as error:
            raise AwsError(error.code, error.message, status=error.status, **error.fields) from error

    def _credentials_of(self, principal: Principal) -> TemporaryCredentials:
        assumed = principal.assumed_by, principal.assumed_for
        issuer = principal.session.issuer if principal.session is not None else ""
        key = (principal.arn, principal.account, principal.invoked_by, principal.access_key, issuer, assumed)
        known = self._credentials.get(key)
        now = self._clock.now()
        if known is None or known.expires - now < _RENEWED_SECONDS:
            if len(self._credentials) >= _MOST_CREDENTIALS:
                self._credentials.clear()
            known = self._credentials[key] = self._tokens.issue(principal, now + _CREDENTIALS_SECONDS)
        return known

    async def close(self) -> None:
        await self._client.close()
