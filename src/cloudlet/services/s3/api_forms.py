"""What browsers send: forms with a file (PostObject), and the questions that precede their requests (OPTIONS)."""

from __future__ import annotations

import re
from html import escape
from urllib.parse import parse_qsl, quote, urlencode, urlunsplit

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws.urls import split_url
from cloudlet.services.s3 import errors
from cloudlet.services.s3.block import service
from cloudlet.services.s3.buckets import cors
from cloudlet.services.s3.object_data import putting
from cloudlet.services.s3.permissions import access
from cloudlet.services.s3.posting import forms, post_policy
from cloudlet.services.s3.posting.forms import Form
from cloudlet.wire import HttpRequest, InvalidRequest, load

_STATUSES = ("200", "201", "204")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_HEADERS = frozenset(
    (
        "acl",
        "awsaccesskeyid",
        "bucket",
        "key",
        "policy",
        "redirect",
        "signature",
        "submit",
        "success_action_redirect",
        "success_action_status",
        "tagging",
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-signature",
    )
)


@service.operation("PreflightBucket")
async def preflight_bucket(ctx: Context, tx: Transaction, params: Params) -> Result:
    access.note_exemption(ctx)
    return await cors.preflight(ctx, tx, params["Bucket"])


@service.operation("PreflightObject")
async def preflight_object(ctx: Context, tx: Transaction, params: Params) -> Result:
    access.note_exemption(ctx)
    return await cors.preflight(ctx, tx, params["Bucket"])


@service.direct("PostObject")
async def post_object(ctx: Context, params: Params) -> Result:
    bucket = params["Bucket"]
    form = await forms.read(params.get("Body") or b"", params.get("ContentType") or "")
    fields = form.fields
    key = fields.get("key")
    if not key:
        raise errors.invalid_argument(
            "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.",
            "key",
            "",
        )
    key = key.replace("${filename}", form.filename)
    principal = await post_policy.author(ctx, fields)
    if ctx.strict:
        await ctx.block.cloud.permissions.load(principal)
    sizes = post_policy.check(ctx, fields, bucket, key)
    headers = _headers(form)
    caller = ctx.act_as(principal, principal.account, headers={**_others(ctx), **headers})
    wanted = {**_put(bucket, key, headers), "Body": sizes.checked(form.file())}
    try:
        written = await putting.put_object(caller, wanted, event="ObjectCreated:Post") or {}
    finally:
        ctx.response_headers, ctx.was_decided = caller.response_headers, caller.was_decided
    if written.get("VersionId"):
        ctx.response_headers = (*ctx.response_headers, ("x-amz-version-id", written["VersionId"]))
    return _answer(ctx, fields, bucket, key, written["ETag"])


def _others(ctx: Context) -> dict[str, str]:
    return {name: value for name, value in ctx.headers.items() if not name.startswith("x-amz-")}


def _headers(form: Form) -> dict[str, str]:
    """Return the headers of the PutObject that a form stands for."""
    fields = form.fields
    headers = {
        name: value
        for name, value in fields.items()
        if name not in _NOT_HEADERS and not name.startswith("x-ignore-") and value
    }
    for name, value in headers.items():
        if _CONTROL.search(value):
            raise errors.invalid_argument("A header has no control characters in it.", name, value)
    if fields.get("acl"):
        headers["x-amz-acl"] = fields["acl"]
    if fields.get("tagging"):
        headers["x-amz-tagging"] = _tags(fields["tagging"])
    return headers


def _put(bucket: str, key: str, headers: dict[str, str]) -> Params:
    """Return the parameters of the PutObject that a form stands for. Raises WireError."""
    path = f"/{quote(bucket)}/{quote(key)}"
    try:
        return load("s3").operations["PutObject"].parse("rest-xml", HttpRequest("PUT", path, headers=headers))
    except InvalidRequest as error:
        raise errors.reword(error) from None


def _tags(document: str) -> str:
    """Return a form's tags, which are a document, as x-amz-tagging has them."""
    request = HttpRequest("PUT", "/b/k", "tagging", body=document.encode())
    tagging = load("s3").operations["PutObjectTagging"].parse("rest-xml", request)["Tagging"]
    return urlencode([(tag["Key"], tag["Value"]) for tag in tagging["TagSet"]])


def _answer(ctx: Context, fields: dict[str, str], bucket: str, key: str, etag: str) -> Result:
    location = f"{ctx.endpoint}/{quote(bucket)}/{quote(key)}"
    target = fields.get("success_action_redirect") or fields.get("redirect")
    if target:
        parts = split_url(target)
        if parts.scheme in ("http", "https") and parts.netloc:
            query = [*parse_qsl(parts.query, keep_blank_values=True), ("bucket", bucket), ("key", key), ("etag", etag)]
            ctx.response_status = 303
            return {"ETag": etag, "Location": urlunsplit(parts._replace(query=urlencode(query)))}
    status = fields.get("success_action_status")
    ctx.response_status = int(status) if status in _STATUSES else 204
    answer = {"ETag": etag, "Location": location}
    if status != "201":
        return answer
    document = "".join(
        f"<{name}>{escape(value)}</{name}>"
        for name, value in (("Location", location), ("Bucket", bucket), ("Key", key), ("ETag", etag))
    )
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>{document}</PostResponse>'
    return {**answer, "Body": body.encode(), "ContentType": "application/xml"}
