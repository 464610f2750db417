"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Service
from cloudlet.wire import WireError

service = Service(
    "iam",
    decides="all",
    read_only=("SimulateCustomPolicy", "SimulatePrincipalPolicy"),
    internal_failure="ServiceFailure",
    hidden=(
        "AddPrivateKey",
        "AuthenticationCode1",
        "AuthenticationCode2",
        "Base32StringSeed",
        "NewPassword",
        "OldPassword",
        "Password",
        "PrivateKey",
        "QRCodePNG",
        "SecretAccessKey",
        "ServiceCredentialSecret",
        "ServicePassword",
    ),
    reserved_tag="InvalidInput",
)


@service.observe
def forget_permissions(ctx: Context, operation: str, params: Params, result: Result, error: WireError | None) -> None:
    """Drop what is known of an account's permissions, once something has changed."""
    handler = service.handlers[operation]
    if error is None and not (handler.is_internal or handler.is_read_only):
        ctx.block.cloud.permissions.forget(ctx.account)
