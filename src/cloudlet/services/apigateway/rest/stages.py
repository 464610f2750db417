"""Stages of REST APIs: what they may be. API reference, "Stage"; developer guide, "Set up a stage for a REST API"."""

from __future__ import annotations

import re
from typing import Any

from cloudlet.core import Context, Transaction
from cloudlet.services.apigateway import access_log, documents, errors
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.rest import patches, store
from cloudlet.services.apigateway.rest.patches import Path, Read

MOST = 10
SIZES = ("0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_VARIABLE_VALUE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,]{0,512}")
_LONGEST_CACHED_SECONDS = 3600
_STRATEGIES = ("FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER", "SUCCEED_WITHOUT_RESPONSE_HEADER")
_DEFAULTS = {
    "metricsEnabled": False,
    "loggingLevel": "OFF",
    "dataTraceEnabled": False,
    "throttlingBurstLimit": 5000,
    "throttlingRateLimit": 10000.0,
    "cachingEnabled": False,
    "cacheTtlInSeconds": 300,
    "cacheDataEncrypted": False,
    "requireAuthorizationForCacheControl": True,
    "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
}
"""What method settings are where nothing is said; the throttling is that of an account."""


def _setting(pattern: str, member: str, read: Read) -> Path:
    """Where a setting of methods may be patched: `/{resource}/{method}/…`, either of which may be `*`."""

    def apply(stage: Document, path: list[str], operation: str, given: str | None) -> None:
        settings = stage.setdefault("methodSettings", {}).setdefault(_settings_key(path[:-2]), dict(_DEFAULTS))
        settings[member] = _DEFAULTS[member] if operation == "remove" else patches.read_value(read, path, given)

    return Path(f"/**{pattern}", patches.ANY, apply)


def _settings_key(path: list[str]) -> str:
    if len(path) < 2:
        raise errors.bad_request(f"Invalid method setting path: /{'/'.join(path)}")
    return "/".join(name.replace("~", "~0").replace("/", "~1") for name in path)


def _forget_settings(stage: Document, path: list[str], operation: str, given: str | None) -> None:
    key = _settings_key(path)
    if (stage.get("methodSettings") or {}).pop(key, None) is None:
        raise errors.bad_request(
            f"Cannot remove method setting {key} because there is no method setting for this method"
        )


PATHS = (
    patches.value("/deploymentId"),
    patches.copied("/deploymentId", "/canarySettings/deploymentId"),
    patches.value("/description"),
    patches.value("/clientCertificateId", operations=patches.ANY),
    patches.value("/cacheClusterEnabled", patches.boolean),
    patches.value("/cacheClusterSize", patches.one_of(*SIZES)),
    patches.value("/tracingEnabled", patches.boolean),
    patches.value("/documentationVersion", operations=patches.ANY),
    patches.entry("/variables/*"),
    patches.copied("/variables", "/canarySettings/stageVariableOverrides"),
    patches.value("/canarySettings/percentTraffic", patches.number, ("add", "replace")),
    patches.value("/canarySettings/deploymentId", operations=("add", "replace")),
    patches.copied("/canarySettings/deploymentId", "/deploymentId"),
    patches.value("/canarySettings/useStageCache", patches.boolean, ("add", "replace")),
    patches.entry("/canarySettings/stageVariableOverrides/*"),
    patches.whole("/canarySettings/stageVariableOverrides"),
    patches.whole("/canarySettings"),
    patches.value("/accessLogSettings/destinationArn", operations=("add", "replace")),
    patches.value("/accessLogSettings/format", operations=("add", "replace")),
    patches.whole("/accessLogSettings"),
    _setting("/metrics/enabled", "metricsEnabled", patches.boolean),
    _setting("/logging/loglevel", "loggingLevel", patches.one_of("OFF", "ERROR", "INFO")),
    _setting("/logging/dataTrace", "dataTraceEnabled", patches.boolean),
    _setting("/throttling/burstLimit", "throttlingBurstLimit", patches.integer),
    _setting("/throttling/rateLimit", "throttlingRateLimit", patches.number),
    _setting("/caching/enabled", "cachingEnabled", patches.boolean),
    _setting("/caching/ttlInSeconds", "cacheTtlInSeconds", patches.integer),
    _setting("/caching/dataEncrypted", "cacheDataEncrypted", patches.boolean),
    _setting("/caching/requireAuthorizationForCacheControl", "requireAuthorizationForCacheControl", patches.boolean),
    _setting(
        "/caching/unauthorizedCacheControlHeaderStrategy",
        "unauthorizedCacheControlHeaderStrategy",
        patches.one_of(*_STRATEGIES),
    ),
    Path("/**", ("remove",), _forget_settings),
)


def check_name(name: str) -> None:
    """Raise BadRequestException for what is no name of a stage."""
    if not _NAME.fullmatch(name):
        raise errors.bad_request("Stage name only allows a-zA-Z0-9-_")


def _check_variables(variables: dict[str, str] | None) -> None:
    for name, value in (variables or {}).items():
        if not _VARIABLE_NAME.fullmatch(name) or not _VARIABLE_VALUE.fullmatch(value):
            raise errors.bad_request(
                f"Invalid stage variable {name}: names have the characters a-zA-Z0-9_, "
                "values those of [A-Za-z0-9-._~:/?#&=,]"
            )


async def check_unused(ctx: Context, tx: Transaction, certificate: str) -> None:
    """Raise BadRequestException where a stage has a client certificate."""
    space = store.apis_of(ctx.account, ctx.region)
    for key, _ in await tx.range(space.begin, space.end, limit=documents.MOST_PARTS):
        api_id = str(space.unpack(key)[0])
        if users := await documents.parts_with(tx, api_id, "Stage", "clientCertificateId", certificate):
            raise errors.bad_request(
                f"Cannot delete Client Certificate {certificate} because there are API Stages associated with it, "
                f"including {api_id}:{users[0]['stageName']}"
            )


async def checked(ctx: Context, tx: Transaction, api_id: str, stage: Document) -> Document:
    """Return a stage as it is kept. Raises AwsError."""
    if await documents.find_part(tx, api_id, "Deployment", stage.get("deploymentId") or "") is None:
        raise errors.bad_request("Deployment id does not exist")
    certificate = stage.get("clientCertificateId") or ""
    if not certificate:
        stage.pop("clientCertificateId", None)
    elif await store.find_owned(ctx, tx, "ClientCertificate", certificate) is None:
        raise errors.bad_request("Invalid Client Certificate identifier specified")
    _check_variables(stage.get("variables"))
    version: str = stage.get("documentationVersion") or ""
    if version and await documents.find_part(tx, api_id, "DocumentationVersion", version) is None:
        raise errors.bad_request("Invalid Documentation version specified")
    if stage.setdefault("cacheClusterEnabled", False):
        stage.setdefault("cacheClusterSize", "0.5")
    stage["cacheClusterStatus"] = "AVAILABLE" if stage["cacheClusterEnabled"] else "NOT_AVAILABLE"
    stage.setdefault("tracingEnabled", False)
    stage.setdefault("methodSettings", {})
    canary = stage.get("canarySettings")
    if canary:
        await _check_canary(tx, api_id, stage, canary)
    logs = stage.get("accessLogSettings")
    if logs is not None:
        kept = access_log.check(
            ctx.account, {"DestinationArn": logs.get("destinationArn"), "Format": logs.get("format")}
        )
        stage["accessLogSettings"] = {"destinationArn": kept["DestinationArn"], "format": kept["Format"]}
    await _check_settings(ctx, tx, stage["methodSettings"])
    return stage


async def _check_canary(tx: Transaction, api_id: str, stage: Document, canary: Document) -> None:
    percent = canary.setdefault("percentTraffic", 0.0)
    if not 0 <= percent <= 100:
        raise errors.bad_request("Canary percentTraffic must be between 0 and 100")
    deployment: str = canary.get("deploymentId") or stage["deploymentId"]
    canary["deploymentId"] = deployment
    if await documents.find_part(tx, api_id, "Deployment", deployment) is None:
        raise errors.bad_request("Deployment id does not exist")
    canary.setdefault("useStageCache", False)
    _check_variables(canary.get("stageVariableOverrides"))


async def _check_settings(ctx: Context, tx: Transaction, settings: dict[str, dict[str, Any]]) -> None:
    for each in settings.values():
        if not 0 <= each["cacheTtlInSeconds"] <= _LONGEST_CACHED_SECONDS:
            raise errors.bad_request("Invalid cache TTL, must be between 0 and 3600 seconds")
        if each["throttlingRateLimit"] < 0 or each["throttlingBurstLimit"] < 0:
            raise errors.bad_request("Throttling limits must not be negative")
    if any(each["loggingLevel"] != "OFF" or each["dataTraceEnabled"] for each in settings.values()):
        account = await store.find_owned(ctx, tx, "Account", "") or {}
        if not account.get("cloudwatchRoleArn"):
            raise errors.bad_request("CloudWatch Logs role ARN must be set in account settings to enable logging")


def settings_of(stage: Document, path: str, method: str) -> dict[str, Any]:
    """Return the settings of a method: its own, else those of all methods; empty where there are none."""
    settings: dict[str, dict[str, Any]] = stage.get("methodSettings") or {}
    by_place = {_place(key): value for key, value in settings.items()}
    bare = path.strip("/")
    return by_place.get((bare, method)) or by_place.get((bare, "*")) or by_place.get(("*", "*")) or {}


def has_own_settings(stage: Document, path: str, method: str) -> bool:
    """Whether there are settings for this very method."""
    return (path.strip("/"), method) in map(_place, stage.get("methodSettings") or {})


def _place(key: str) -> tuple[str, str]:
    resource, _, method = key.rpartition("/")
    return resource.replace("~1", "/").replace("~0", "~").strip("/"), method
