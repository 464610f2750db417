"""Objects in S3, which exports go to and imports come from, by S3's own API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from cloudlet.core import AwsError, Params, Result
from cloudlet.core.kernel.block import Block
from cloudlet.services.dynamodb.transfer.transfer_records import Caller
from cloudlet.wire.bodies import pieces_of

_PIECE = 4 << 20
_ATTEMPTS = 5
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, as seen from an account and a region; `owner` is the account that it must belong to, if said."""

    block: Block
    name: str
    account: str
    region: str
    owner: str | None = None
    source_arn: str = ""
    caller: Caller | None = None
    """For whom S3 is called; None: DynamoDB calls by itself."""

    async def put(self, key: str, body: bytes, **params: Any) -> str:
        """Store an object and return its ETag. Raises AwsError."""
        stored = await self._call("PutObject", Key=key, Body=body, **params)
        return str(stored.get("ETag", "")).strip('"')

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        """The keys that begin with a prefix. Raises AwsError."""
        more: dict[str, str] = {}
        while True:
            page = await self._call("ListObjectsV2", Prefix=prefix, **more)
            for found in page.get("Contents") or ():
                yield found["Key"]
            token = page.get("NextContinuationToken")
            if token is None:
                return
            more = {"ContinuationToken": token}

    async def pieces(self, key: str) -> AsyncIterator[bytes]:
        """The contents of an object, some megabytes at a time. Raises AwsError."""
        size = int((await self._call("HeadObject", Key=key))["ContentLength"])
        for begin in range(0, size, _PIECE):
            wanted = f"bytes={begin}-{min(begin + _PIECE, size) - 1}"
            yield await bytes_of((await self._call("GetObject", Key=key, Range=wanted))["Body"])

    async def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        owner = {} if self.owner is None else {"ExpectedBucketOwner": self.owner}
        for attempt in range(_ATTEMPTS):
            try:
                result = await self._ask(operation, {"Bucket": self.name, **owner, **params})
            except AwsError as error:
                if error.status != 503 or attempt == _ATTEMPTS - 1:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS * (attempt + 1))
            else:
                return dict(result or {})
        raise AssertionError("unreachable")

    async def _ask(self, operation: str, params: Params) -> Result:
        if self.caller is None:
            return await self.block.call(
                "s3", operation, params, account=self.account, region=self.region, source_arn=self.source_arn
            )
        caller = self.caller.to_principal()
        return await self.block.cloud.call(
            "s3", operation, params, principal=caller, account=self.account, region=self.region
        )


async def bytes_of(body: Any) -> bytes:
    """Return the bytes of an object's body, whatever form S3 gives it."""
    return b"".join([piece async for piece in pieces_of(body)])
