"""What a bucket's website endpoint answers: pages, redirects, and errors as people read them.

S3 user guide, "Hosting a static website using Amazon S3", "Key differences between a website endpoint and a REST API
endpoint", "Configuring a custom error document".
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.kernel.detour import follow
from cloudlet.core.kernel.identity import ANONYMOUS
from cloudlet.services.s3 import errors
from cloudlet.services.s3.block import service
from cloudlet.services.s3.buckets import website
from cloudlet.services.s3.buckets.bucket import configuration, get_bucket
from cloudlet.services.s3.object_data import reading
from cloudlet.services.s3.permissions import access
from cloudlet.wire import WireError
from cloudlet.wire.host_ids import host_id

_CONDITIONS = ("IfMatch", "IfModifiedSince", "IfNoneMatch", "IfUnmodifiedSince", "Range")


@service.direct("GetWebsiteIndex")
@service.direct("GetWebsiteObject")
async def get_website_object(ctx: Context, params: Params) -> Result:
    return await _Visit(ctx, params, with_body=True).answer()


@service.direct("HeadWebsiteIndex")
@service.direct("HeadWebsiteObject")
async def head_website_object(ctx: Context, params: Params) -> Result:
    return await _Visit(ctx, params, with_body=False).answer()


@service.direct("DeleteWebsiteIndex")
@service.direct("DeleteWebsiteObject")
@service.direct("PatchWebsiteIndex")
@service.direct("PatchWebsiteObject")
@service.direct("PostWebsiteIndex")
@service.direct("PostWebsiteObject")
@service.direct("PutWebsiteIndex")
@service.direct("PutWebsiteObject")
async def refuse_to_change_website(ctx: Context, params: Params) -> Result:
    return _Visit(ctx, params, with_body=True).refused()


class _Visit:
    """One request to a website. Websites are for everybody: nobody signs to see them."""

    def __init__(self, ctx: Context, params: Params, *, with_body: bool) -> None:
        # Whether everybody may read an object is decided when the visitor reads it.
        access.note_exemption(ctx)
        self._ctx = ctx
        self._visitor = ctx.act_as(ANONYMOUS, ANONYMOUS.account) if ctx.strict else ctx
        self._params = params
        self._bucket: str = params["Bucket"]
        self._key: str = params.get("Key") or ""
        self._with_body = with_body
        self._document: dict[str, Any] = {}

    async def answer(self) -> Result:
        try:
            self._document = await self._configuration()
        except AwsError as error:
            return self._page(error)
        moved = self._redirect(None)
        if moved is not None:
            return self._moved(moved)
        try:
            return await self._object(website.index_key(self._document, self._key), self._params)
        except WireError as error:
            return await self._failed(error)

    def refused(self) -> Result:
        """Return the answer to a method that websites do not have."""
        return self._page(errors.method_not_allowed(self._ctx.method, "OBJECT"))

    async def _configuration(self) -> dict[str, Any]:
        async def body(tx: Any) -> Any:
            bucket = await get_bucket(self._ctx, tx, self._bucket)
            return await configuration(tx, bucket, "website")

        document: dict[str, Any] | None = await self._ctx.transact(body)
        if document is None:
            message = "The specified bucket does not have a website configuration"
            raise errors.make_missing_configuration_error("NoSuchWebsiteConfiguration", message, self._bucket)
        return document

    async def _object(self, key: str, params: Params) -> Result:
        """Return an object as the answer, or the redirect that it stands for. Raises WireError."""
        asked = {"Bucket": self._bucket, "Key": key} | {name: params[name] for name in _CONDITIONS if name in params}
        visitor, with_body = self._visitor, self._with_body

        async def read(tx: Transaction) -> Result:
            return await reading.read_object(visitor, tx, asked, with_body=with_body)

        found = await follow(partial(visitor.transact, read))
        self._take_over()
        found = dict(found or {})
        target = found.get("WebsiteRedirectLocation")
        if target:
            return self._moved(website.Redirect(301, target))
        return found

    def _take_over(self) -> None:
        """What the reader has set is for the real answer."""
        self._ctx.response_status = self._visitor.response_status
        self._ctx.response_headers = self._visitor.response_headers

    async def _failed(self, error: WireError) -> Result:
        """Answer for an object that cannot be had: by a rule, the folder of that name, the error document, a page."""
        status = error.status or 400
        if status == 304:
            raise error
        moved = self._redirect(status)
        if moved is None and status in (403, 404) and self._key and not self._key.endswith("/"):
            moved = await self._folder()
        if moved is not None:
            return self._moved(moved)
        own = self._document.get("ErrorDocument")
        if own is None or not 400 <= status < 500:
            return self._page(error)
        try:
            page = dict(await self._object(own["Key"], {}) or {})
        except WireError as missing:
            return self._page(error, missing)
        self._ctx.response_status = status
        self._tell(error)
        return page

    async def _folder(self) -> website.Redirect | None:
        """Return where the folder's index is, where a path names a folder without its slash."""
        folder = f"{self._key}/"
        visitor = self._visitor.act_as(self._visitor.principal, self._visitor.account)
        asked = {"Bucket": self._bucket, "Key": website.index_key(self._document, folder)}
        try:
            await visitor.transact(lambda tx: reading.read_object(visitor, tx, asked, with_body=False))
        except WireError:
            return None
        return website.Redirect(302, f"/{folder}")

    def _redirect(self, error: int | None) -> website.Redirect | None:
        host = urlsplit(self._ctx.endpoint).netloc
        return website.redirect(self._document, self._key, host, secure=self._ctx.secure, error=error)

    def _moved(self, target: website.Redirect) -> Result:
        self._ctx.response_status = target.status
        self._ctx.response_headers = (*self._ctx.response_headers, ("Location", target.location))
        return {"ContentLength": 0}

    def _tell(self, error: WireError) -> None:
        told = (("x-amz-error-code", error.code), ("x-amz-error-message", error.message))
        self._ctx.response_headers = (*self._ctx.response_headers, *told)

    def _page(self, error: WireError, missing: WireError | None = None) -> Result:
        status = error.status or 400
        facts = {"Code": error.code, "Message": error.message}
        facts |= {name: str(value) for name, value in error.fields.items()}
        facts |= {"RequestId": self._ctx.request_id, "HostId": host_id(self._ctx.request_id)}
        page = website.error_page(status, HTTPStatus(status).phrase, facts, None if missing is None else missing.code)
        self._ctx.response_status = status
        self._tell(error)
        answer: dict[str, Any] = {"ContentType": "text/html; charset=utf-8", "ContentLength": len(page)}
        return {**answer, "Body": page} if self._with_body else answer
