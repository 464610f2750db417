"""Code signing configurations. Developer guide, "Using code signing to verify code integrity with Lambda".

There is no AWS Signer here, so that no code is signed: a function whose configuration enforces signatures takes none.
"""

from __future__ import annotations

import msgspec

from cloudlet.core import Arn, AwsError, Context, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel.ids import token
from cloudlet.services.lambda_.functions.function import Place

ENFORCE = "Enforce"
_CONFIGURATIONS = Subspace("code-signing")
_USERS = Subspace("code-signing-user")
_ID_CHARACTERS = 17
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class CodeSigning(msgspec.Struct, frozen=True, kw_only=True):
    """Who may have signed the code of functions. `modified` is in seconds since the epoch."""

    arn: str
    profiles: tuple[str, ...]
    """The ARNs of versions of signing profiles."""
    policy: str = "Warn"
    """What is done with code that none of them has signed: Warn or Enforce."""
    description: str = ""
    modified: float = 0.0

    @property
    def id(self) -> str:
        return self.arn.rpartition(":")[2]


_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(CodeSigning).decode


def new_arn(ctx: Context) -> str:
    """Return the ARN of a configuration to be made."""
    resource = f"code-signing-config:csc-{token(_ID_CHARACTERS, _ALPHABET)}"
    return str(Arn(partition_of(ctx.region), "lambda", ctx.region, ctx.account, resource))


def of_account(account: str, region: str) -> Subspace:
    """Return where an account's configurations are, by ARN."""
    return _CONFIGURATIONS.sub(account, region)


def _key(arn: str) -> bytes:
    parts = Arn.parse(arn)
    return of_account(parts.account, parts.region).key(arn)


async def get(tx: Transaction, arn: str) -> CodeSigning:
    """Return a configuration. Raises AwsError."""
    raw = await tx.get(_key(arn))
    if raw is None:
        raise AwsError(
            "CodeSigningConfigNotFoundException",
            f"The code signing configuration cannot be found. Check that the provided configuration is not deleted: "
            f"{arn}.",
            Type="User",
        )
    return decode(raw)


def save(tx: Transaction, configuration: CodeSigning) -> None:
    """Keep a configuration."""
    tx.put(_key(configuration.arn), _encode(configuration))


def remove(tx: Transaction, configuration: CodeSigning) -> None:
    """Delete a configuration that no function uses."""
    tx.delete(_key(configuration.arn))


def users_of(arn: str) -> Subspace:
    """Return where the ARNs of the functions that use a configuration are."""
    return _USERS.sub(arn)


def use(tx: Transaction, place: Place, before: str, after: str) -> None:
    """Note that a function uses another configuration than before; nothing stands for none."""
    if before:
        tx.delete(users_of(before).key(place.arn))
    if after:
        tx.put(users_of(after).key(place.arn), place.arn.encode())


async def check_code(tx: Transaction, arn: str) -> None:
    """Raise AwsError where code that is not signed is not to be deployed."""
    if arn and (await get(tx, arn)).policy == ENFORCE:
        raise AwsError(
            "CodeVerificationFailedException",
            "The code signature failed one or more of the validation checks for signature mismatch or expiry, and the "
            "code signing policy is set to ENFORCE. Lambda blocks the deployment.",
            Type="User",
        )
