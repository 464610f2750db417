"""The phone numbers of the SMS sandbox, and their verification by a one-time password.

Developer Guide, "Adding and verifying phone numbers in the SMS sandbox". No account is in the sandbox here: it may send
to any number. Programs that manage the sandbox's numbers find all of it working.
"""

from __future__ import annotations

import hmac

import msgspec

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.kernel import ids
from cloudlet.services.sns import errors, limits

_NUMBERS = Subspace("sandbox-number")
_DIGITS = 6
_HOUR_MS = 3_600_000
_VALID_MS = 24 * _HOUR_MS
_KEPT_MS = 24 * _HOUR_MS
_SENT_A_DAY = 5
_TRIES = 5
LANGUAGE = "en-US"
_TEXTS = {
    "de": "Ihr Bestätigungscode lautet {}.",
    "en": "Your verification code is {}.",
    "es": "Su código de verificación es {}.",
    "fr": "Votre code de vérification est {}.",
    "it": "Il tuo codice di verifica è {}.",
    "ja": "確認コードは {} です。",
    "kr": "인증 코드는 {} 입니다.",
    "pt": "Seu código de verificação é {}.",
    "zh-CN": "您的验证码是 {}。",
    "zh-TW": "您的驗證碼是 {}。",
}


class SandboxNumber(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a number. Times are in milliseconds since the epoch."""

    number: str
    verified: bool
    password: str
    sent: tuple[int, ...]
    """When passwords were sent within the last day."""
    tried: int
    """When verification was tried last, or the number was added."""
    failures: int
    """How often the present password was missed."""

    @property
    def shown(self) -> dict[str, str]:
        return {"PhoneNumber": self.number, "Status": "Verified" if self.verified else "Pending"}


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SandboxNumber).decode


def of_account(account: str, region: str) -> Subspace:
    """Return where an account's numbers are: number → record."""
    return _NUMBERS.sub(account, region)


def decode(raw: bytes) -> SandboxNumber:
    return _decode(raw)


async def add(tx: Transaction, space: Subspace, number: str, now: int) -> str:
    """Add a number, or renew its password; return the password to send to it. Raises AwsError."""
    if not limits.is_phone_number(number):
        raise errors.invalid_parameter("PhoneNumber", "input incorrectly formatted")
    raw = await tx.get(space.key(number))
    sent: tuple[int, ...] = ()
    if raw is not None:
        existing = _decode(raw)
        if existing.verified:
            raise AwsError("UserError", "The phone number is verified already.")
        sent = tuple(when for when in existing.sent if when > now - 24 * _HOUR_MS)
        if len(sent) >= _SENT_A_DAY:
            raise AwsError("Throttled", f"A one-time password is sent to a number {_SENT_A_DAY} times a day at most.")
    elif len(await tx.range(space.begin, space.end, limit=limits.SANDBOX_NUMBERS)) >= limits.SANDBOX_NUMBERS:
        raise AwsError("UserError", f"There can be {limits.SANDBOX_NUMBERS} phone numbers in the sandbox at most.")
    password = ids.token(_DIGITS, "0123456789")
    tx.put(space.key(number), _encode(SandboxNumber(number, False, password, (*sent, now), now, 0)))
    return password


def text(password: str, language: str) -> str:
    """Return the text that tells a password, in one of the languages that the model lists."""
    template = _TEXTS.get(language) or _TEXTS[language.partition("-")[0]]
    return template.format(password)


async def verify(tx: Transaction, space: Subspace, number: str, password: str, now: int) -> bool:
    """Verify a number by the password sent to it; return whether that was right. Raises AwsError."""
    existing = await _get(tx, space, number)
    if existing.verified:
        return True
    fresh = existing.sent[-1] > now - _VALID_MS and existing.failures < _TRIES
    right = fresh and hmac.compare_digest(existing.password.encode(), password.encode())
    failures = existing.failures if right else existing.failures + 1
    changed = msgspec.structs.replace(existing, verified=right, tried=now, failures=failures)
    tx.put(space.key(number), _encode(changed))
    return right


async def delete(tx: Transaction, space: Subspace, number: str, now: int) -> None:
    """Forget a number. Raises AwsError, also within a day of its last verification."""
    existing = await _get(tx, space, number)
    if now < existing.tried + _KEPT_MS:
        raise AwsError("UserError", "A phone number can be deleted 24 hours after its last verification.")
    tx.delete(space.key(number))


async def _get(tx: Transaction, space: Subspace, number: str) -> SandboxNumber:
    raw = await tx.get(space.key(number))
    if raw is None:
        raise errors.no_such_resource()
    return _decode(raw)
