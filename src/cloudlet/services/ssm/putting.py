"""Creates and updates parameters. API reference, "PutParameter"."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.core.aws import tags
from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.ssm import access, allowed_pattern, data_types, encryption, names, parameters, policies, settings
from cloudlet.services.ssm.errors import ValidationError
from cloudlet.services.ssm.parameter_record import ADVANCED, SECURE, STANDARD, Parameter, Policy, Version

MAX_PARAMETERS: Final = {STANDARD: 10_000, ADVANCED: 100_000}
MAX_VALUE_BYTES: Final = {STANDARD: 4096, ADVANCED: 8192}
_MAX_ATTEMPTS: Final = 10
_INTELLIGENT: Final = "Intelligent-Tiering"
_REFERENCE: Final = re.compile(r"\{\{[^{}]*\}\}")
_TIERS_PAGE: Final = (
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
)


class _Preparation(NamedTuple):
    """A version with its plain value, and that value as it is stored."""

    version: Version
    value: str

    def fits(self, wanted: Version) -> bool:
        """Whether it was prepared as another version of the same request has to be."""
        names = ("type", "tier", "key_id", "allowed_pattern", "value")
        return all(getattr(self.version, name) == getattr(wanted, name) for name in names)


class _MissingPreparation(Exception):
    """A version whose value has to be prepared outside of the transaction."""

    def __init__(self, arn: str, version: Version) -> None:
        super().__init__(arn)
        self.arn = arn
        self.version = version


class TooManyTags(AwsError):
    """More tags than a parameter can have."""

    def __init__(self, message: str) -> None:
        super().__init__("TooManyTagsError", message)


async def put(ctx: Context, params: Params) -> Version:
    """Store the version that a request asks for, and return it. Raises AwsError."""
    _check_request(params)
    prepared: _Preparation | None = None
    for _ in range(_MAX_ATTEMPTS):
        try:
            return await ctx.transact(lambda tx: _store(ctx, tx, params, prepared))  # noqa: B023
        except _MissingPreparation as error:
            prepared = await _prepare(ctx, error.arn, error.version)
    # Others change the parameter each time while its value is being encrypted.
    message = "There are concurrent updates for a resource that supports one update at a time."
    raise AwsError("TooManyUpdates", message)


async def _prepare(ctx: Context, arn: str, version: Version) -> _Preparation:
    """Hold a value against its pattern, and encrypt that of a SecureString."""
    if version.allowed_pattern:
        await run_in_worker(ctx.account, allowed_pattern.check_value, version.allowed_pattern, version.value)
    if version.type != SECURE:
        return _Preparation(version, version.value)
    return _Preparation(version, await encryption.encrypt(ctx, arn, version))


async def _store(ctx: Context, tx: Transaction, params: Params, prepared: _Preparation | None) -> Version:
    reference = names.validate_new_name(ctx, params["Name"])
    found = await parameters.find(tx, reference.account, reference.region, reference.name)
    access.authorize(ctx, "PutParameter", reference, found, _make_keys(params))
    if params.get("Tags"):
        access.authorize(ctx, "AddTagsToResource", reference, found, access.make_tag_keys(params["Tags"]))
    if found is not None and not params.get("Overwrite"):
        raise AwsError(
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
        )
    kept = _get_policies(ctx, params, found)
    tier = await _choose_tier(ctx, tx, params, found, has_policies=bool(kept))
    version = _make_version(ctx, params, found, tier, kept)
    if version.allowed_pattern or version.type == SECURE:
        if prepared is None or not prepared.fits(version):
            raise _MissingPreparation(reference.arn, version)
        version = replace(version, value=prepared.value)
    if found is None:
        own_tags = tags.merge({}, params.get("Tags"), ValidationError, TooManyTags)
        changed = Parameter(ctx.account, ctx.region, reference.name, version, tags=own_tags)
    else:
        changed = replace(found, latest=version)
        _check_history(changed)
    parameters.add_version(tx, changed, found, ctx.now())
    return version


def _make_keys(params: Params) -> Keys:
    """Return the condition keys of a request."""
    keys = access.make_tag_keys(params.get("Tags") or ())
    keys["ssm:Overwrite"] = "true" if params.get("Overwrite") else "false"
    if params.get("Policies"):
        keys["ssm:Policies"] = params["Policies"]
    return keys


def _check_request(params: Params) -> None:
    """Raise ValidationException for what makes no sense, whatever is stored."""
    if params.get("Tags") and params.get("Overwrite"):
        raise ValidationError(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please "
            "remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or "
            "RemoveTagsFromResource."
        )
    if not params["Value"]:
        raise ValidationError(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1"
        )
    if _REFERENCE.search(params["Value"]):
        raise ValidationError('Parameter value can\'t nest another parameter. Do not use "{{}}" in the value.')


def _make_version(
    ctx: Context, params: Params, found: Parameter | None, tier: str, kept: tuple[Policy, ...]
) -> Version:
    """Return the version that a request asks for, with its plain value. Raises AwsError."""
    kind = _get_type(params, found)
    old = None if found is None else found.latest
    data_type = params.get("DataType") or (data_types.TEXT if old is None else old.data_type)
    _check_tier(tier, data_type, params["Value"], has_policies=bool(kept))
    data_types.check_value(data_type, kind, params["Value"])
    if old is not None:
        data_types.check_change(old.data_type, data_type)
    if params.get("KeyId") and kind != SECURE:
        raise ValidationError("KeyId is for parameters of the type SecureString only.")
    return Version(
        1 if old is None else old.number + 1,
        kind,
        params["Value"],
        tier,
        data_type,
        ctx.now(),
        ctx.principal.arn,
        _get_kept(params, "Description", "" if old is None else old.description),
        (params.get("KeyId") or encryption.DEFAULT_KEY) if kind == SECURE else "",
        _get_kept(params, "AllowedPattern", "" if old is None else old.allowed_pattern),
        kept,
    )


def _get_type(params: Params, found: Parameter | None) -> str:
    kind: str | None = params.get("Type")
    if found is None:
        if kind is None:
            raise ValidationError("A parameter type is required when you create a parameter.")
        return kind
    if kind not in (None, found.latest.type):
        raise AwsError(
            "HierarchyTypeMismatchException",
            "Parameter Store doesn't support changing a parameter type in a hierarchy. For example, you can't change a "
            "parameter from a String type to a SecureString type. You must create a new, unique parameter.",
        )
    return found.latest.type


def _get_kept(params: Params, name: str, old: str) -> str:
    """Return a text of a request, or else the one that there was."""
    given: str | None = params.get(name)
    return old if given is None else given


def _get_policies(ctx: Context, params: Params, found: Parameter | None) -> tuple[Policy, ...]:
    if params.get("Policies") is not None:
        return policies.parse(params["Policies"], ctx.now())
    return () if found is None else policies.carry_over(found.latest.policies, ctx.now())


async def _choose_tier(
    ctx: Context, tx: Transaction, params: Params, found: Parameter | None, *, has_policies: bool
) -> str:
    """Return the tier that a parameter gets. Raises AwsError where there is no room in it."""
    wanted = params.get("Tier") or await settings.get_default_tier(tx, ctx.account, ctx.region)
    if found is not None and found.latest.tier == ADVANCED:
        if params.get("Tier") == STANDARD:
            raise ValidationError(
                "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the "
                "advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced "
                "parameter and recreate it as a standard parameter."
            )
        return ADVANCED
    if wanted == _INTELLIGENT:
        is_full = found is None and not await _has_room(ctx, tx, STANDARD)
        wanted = ADVANCED if is_full or has_policies or _needs_advanced(params) else STANDARD
    if (found is None or found.latest.tier != wanted) and not await _has_room(ctx, tx, wanted):
        advice = "delete existing parameters or upgrade to the advanced-parameter tier (charges apply)"
        raise AwsError(
            "ParameterLimitExceeded",
            f"You have reached the maximum number of {wanted.lower()} parameters for this AWS account and Region "
            f"({MAX_PARAMETERS[wanted]}). To add more parameters, "
            + (f"either {advice}." if wanted == STANDARD else "delete existing parameters."),
        )
    return str(wanted)


async def _has_room(ctx: Context, tx: Transaction, tier: str) -> bool:
    return await parameters.count(tx, ctx.account, ctx.region, tier) < MAX_PARAMETERS[tier]


def _needs_advanced(params: Params) -> bool:
    """Whether a request has a value that only advanced parameters have."""
    is_large = len(params["Value"].encode()) > MAX_VALUE_BYTES[STANDARD]
    return is_large or params.get("DataType") in data_types.NEED_ADVANCED


def _check_tier(tier: str, data_type: str, value: str, *, has_policies: bool) -> None:
    """Raise ValidationException for what parameters of a tier cannot have."""
    if len(value.encode()) > MAX_VALUE_BYTES[tier]:
        message = f"{tier} tier parameters support a maximum parameter value of {MAX_VALUE_BYTES[tier]} characters."
        if tier == STANDARD:
            message += (
                " To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. "
                f"For more information, see {_TIERS_PAGE}"
            )
        raise ValidationError(message)
    if tier == STANDARD and (has_policies or data_type in data_types.NEED_ADVANCED):
        what = "policies" if has_policies else f"the data type {data_type}"
        raise ValidationError(
            f"Standard tier parameters don't support {what}. Upgrade the parameter to use the advanced-parameter tier. "
            f"For more information, see {_TIERS_PAGE}"
        )


def _check_history(changed: Parameter) -> None:
    """Raise AwsError where a new version would drop one that has a label."""
    dropped = changed.latest.number - parameters.MAX_VERSIONS
    if dropped > 0 and dropped in changed.labels.values():
        raise AwsError(
            "ParameterMaxVersionLimitExceeded",
            f"You attempted to create a new version of {changed.name} by calling the PutParameter API with the "
            f"overwrite flag. Version {dropped}, the oldest version, can't be deleted because it has a label "
            "associated with it. Move the label to another version of the parameter, and try again.",
        )
