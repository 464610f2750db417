"""The operations on URLs of functions."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.lambda_ import access, errors, paging
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.function_urls import urls
from cloudlet.services.lambda_.function_urls.urls import URL, Cors, Url
from cloudlet.services.lambda_.functions import directory, showing
from cloudlet.services.lambda_.functions.directory import FunctionReference

_CORS = {
    "AllowHeaders": "headers",
    "AllowMethods": "methods",
    "AllowOrigins": "origins",
    "ExposeHeaders": "exposed",
}


async def _named(ctx: Context, tx: Transaction, params: Params, action: str) -> FunctionReference:
    """Return the function or alias that a request is about. Raises AwsError."""
    what = directory.named(ctx, params["FunctionName"], params.get("Qualifier"))
    auth = params.get("AuthType")
    if auth is None and (url := await URL.find(tx, what.place, what.qualifier or "")) is not None:
        auth = url.auth
    keys = {"lambda:FunctionArn": what.arn} | ({"lambda:FunctionUrlAuthType": auth} if auth else {})
    await access.authorize(ctx, tx, what, action, keys)
    return what


async def _url(tx: Transaction, what: FunctionReference) -> Url:
    url = await URL.find(tx, what.place, what.qualifier or "")
    if url is None:
        raise errors.not_found()
    return url


def _cors(given: Params) -> Cors | None:
    """Return what is given of CORS; an empty structure is none."""
    if not given:
        return None
    lists = {field: tuple(given.get(name) or ()) for name, field in _CORS.items()}
    cors = Cors(credentials=bool(given.get("AllowCredentials")), max_age=given.get("MaxAge") or 0, **lists)
    urls.check_cors(cors)
    return cors


def _shown(ctx: Context, what: FunctionReference, url: Url) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "FunctionUrl": urls.address(ctx, url),
        "FunctionArn": what.arn,
        "AuthType": url.auth,
        "CreationTime": showing.moment(url.created),
        "LastModifiedTime": showing.moment(url.modified),
    }
    if url.mode:
        shown["InvokeMode"] = url.mode
    if url.cors is not None:
        cors: dict[str, Any] = {name: list(getattr(url.cors, field)) for name, field in _CORS.items()}
        cors = {name: values for name, values in cors.items() if values}
        if url.cors.credentials:
            cors["AllowCredentials"] = True
        if url.cors.max_age:
            cors["MaxAge"] = url.cors.max_age
        shown["Cors"] = cors
    return shown


@service.operation("CreateFunctionUrlConfig")
async def create_function_url_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = await _named(ctx, tx, params, "CreateFunctionUrlConfig")
    await directory.resolve(tx, what)
    if await URL.find(tx, what.place, what.qualifier or "") is not None:
        raise errors.conflict(
            f"Failed to create function url config for [functionArn = {what.arn}]. Error message:  FunctionUrlConfig "
            "exists for this Lambda function"
        )
    url = Url(
        id=urls.new_id(),
        auth=params["AuthType"],
        mode=params.get("InvokeMode") or "",
        cors=_cors(params.get("Cors") or {}),
        created=ctx.now(),
        modified=ctx.now(),
    )
    urls.save(tx, what, url)
    shown = _shown(ctx, what, url)
    del shown["LastModifiedTime"]
    return shown


@service.operation("GetFunctionUrlConfig")
async def get_function_url_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = await _named(ctx, tx, params, "GetFunctionUrlConfig")
    return _shown(ctx, what, await _url(tx, what))


@service.operation("UpdateFunctionUrlConfig")
async def update_function_url_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = await _named(ctx, tx, params, "UpdateFunctionUrlConfig")
    url = await _url(tx, what)
    changes: dict[str, Any] = {"modified": ctx.now()}
    if params.get("AuthType"):
        changes["auth"] = params["AuthType"]
    if params.get("InvokeMode"):
        changes["mode"] = params["InvokeMode"]
    if params.get("Cors") is not None:
        changes["cors"] = _cors(params["Cors"])
    url = replace(url, **changes)
    urls.save(tx, what, url)
    return _shown(ctx, what, url)


@service.operation("DeleteFunctionUrlConfig")
async def delete_function_url_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = await _named(ctx, tx, params, "DeleteFunctionUrlConfig")
    await _url(tx, what)
    await urls.remove(tx, what)
    return None


@service.operation("ListFunctionUrlConfigs")
async def list_function_url_configs(ctx: Context, tx: Transaction, params: Params) -> Result:
    place = (await access.function(ctx, tx, params["FunctionName"], "ListFunctionUrlConfigs")).place
    space = URL.of(place)
    found, marker = await paging.rows(tx, space, params.get("Marker"), params.get("MaxItems"))
    shown = [_shown(ctx, FunctionReference(place, space.unpack(key)[0] or None), URL.decode(raw)) for key, raw in found]
    return {"FunctionUrlConfigs": shown, "NextMarker": marker}
