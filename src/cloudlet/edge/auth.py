"""Who makes a request: signatures verified, unknown keys admitted or refused, AWS's errors answered.

Source: IAM User Guide, "Troubleshoot AWS Signature Version 4"; each API reference's "Common Errors"; Amazon S3 API
Reference, "Error Responses".
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Final

from cloudlet.core.kernel.clock import Clock
from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.identity import ANONYMOUS, Credential, Principal, root
from cloudlet.core.kernel.system_clock import wall_time
from cloudlet.core.kernel.tokens import parse_account
from cloudlet.edge import chunked
from cloudlet.edge.access_keys import DEFAULT_ACCOUNT, KeyRing
from cloudlet.wire import HttpRequest, ServiceModel, sigv2, sigv4
from cloudlet.wire.claims import Claim
from cloudlet.wire.http import BodyStream

_HEADER_SKEW_SECONDS: Final = 15 * 60
_SHA256_HEX_LENGTH: Final = 64
_PRESIGNED: Final = ("X-Amz-Algorithm=", "AWSAccessKeyId=")
_NEED_NOT_BE_SIGNED: Final = ("x-amz-content-sha256", "x-amz-security-token")
_NO_MATCH: Final = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


class Caller:
    """Who makes the request, and what of its body is left to read."""

    __slots__ = ("body", "expires", "principal")

    def __init__(self, principal: Principal, body: bytes | BodyStream, expires: float | None = None) -> None:
        self.principal = principal
        self.body = body
        self.expires = expires
        """When the credentials do, in seconds since the epoch."""


class Authenticator:
    """Verifies every key that is known. An unknown one is the root of its account in open mode, nobody in strict."""

    def __init__(self, keys: KeyRing, clock: Clock, *, strict: bool) -> None:
        self._keys = keys
        self._clock = clock
        self._strict = strict

    def account_of(self, claim: Claim | None) -> str | None:
        """Return whose a request is, if its signature is right; None where no key lets its sender in."""
        if claim is None:
            return None if self._strict else DEFAULT_ACCOUNT
        known = self._keys.find(claim.access_key, claim.token)
        if known is not None:
            return known.principal.account
        return None if self._strict else parse_account(claim.access_key) or DEFAULT_ACCOUNT

    def is_to_be_looked_up(self, claim: Claim) -> bool:
        """Whether IAM has to be asked for a claim's key before it is verified."""
        return self._keys.is_to_be_looked_up(claim.access_key, claim.token)

    def knows(self, claim: Claim) -> bool:
        """Whether the signature of a claim is verified."""
        return self._keys.find(claim.access_key, claim.token) is not None

    def authenticate(self, request: HttpRequest, claim: Claim | None, model: ServiceModel, path: str) -> Caller:
        """Return who makes the request. Raises AwsError.

        `path` is the request's, and begins with the bucket where that is in its host.
        Signatures are checked against the system's clock: clients sign with theirs, however tests move Cloudlet's.
        """
        if claim is None:
            principal = ANONYMOUS if self._strict else root(DEFAULT_ACCOUNT)
            return Caller(principal, _decoded(request, None, None))
        known = self._keys.find(claim.access_key, claim.token)
        if known is None:
            if self._strict:
                _check_skew(claim, model)
                raise _unknown_key(claim, model)
            if claim.expires is not None:
                _check_skew(claim, model)
            elif model.name == "s3":
                _check_stated_hash(request)
            account = parse_account(claim.access_key) or DEFAULT_ACCOUNT
            if self._is_deleted(request, claim, path):
                raise _unknown_key(claim, model)
            return Caller(root(account, claim.access_key), _decoded(request, claim, None))
        if not known.is_active:
            raise _unknown_key(claim, model)
        if known.expires is not None and known.expires < self._clock.now():
            raise expired_token(model)
        _check_time(claim, model)
        if isinstance(claim, sigv2.Claim):
            return Caller(known.principal, self._verified_v2(request, claim, known, model, path), known.expires)
        return Caller(known.principal, self._verified(request, claim, known, model), known.expires)

    def _is_deleted(self, request: HttpRequest, claim: Claim, path: str) -> bool:
        """Whether an unknown key was once made by IAM: its secret has signed."""
        if claim.token is not None or not claim.access_key.startswith("AKIA"):
            return False
        secret = self._keys.derive_secret(claim.access_key)
        if isinstance(claim, sigv2.Claim):
            return _is_signed_v2(claim, secret, _list_texts_v2(request, path))
        canonical = sigv4.canonical_request(request, claim, _payload_hash(request, claim)[0])
        return _is_same(sigv4.signature(secret, claim, sigv4.string_to_sign(claim, canonical)), claim.signature)

    def _verified_v2(
        self, request: HttpRequest, claim: sigv2.Claim, known: Credential, model: ServiceModel, path: str
    ) -> bytes | BodyStream:
        """Return the body of a request whose signature of version 2 is right. Raises AwsError."""
        texts = _list_texts_v2(request, path)
        if not _is_signed_v2(claim, known.secret_key, texts):
            raise _mismatch(model, f"{_NO_MATCH}\n\nThe String-to-Sign should have been\n'{texts[0]}'\n")
        return _decoded(request, claim, known)

    def _verified(
        self, request: HttpRequest, claim: Claim, known: Credential, model: ServiceModel
    ) -> bytes | BodyStream:
        """Return the body of a request whose signature is right. Raises AwsError."""
        if "host" not in claim.credential.names:
            raise _mismatch(model, "'Host' must be a 'SignedHeader' in the AWS Authorization.")
        payload_hash, body_hash = _payload_hash(request, claim)
        canonical = sigv4.canonical_request(request, claim, payload_hash)
        text = sigv4.string_to_sign(claim, canonical)
        if not _is_same(sigv4.signature(known.secret_key, claim, text), claim.signature):
            raise _mismatch(
                model,
                f"{_NO_MATCH}\n\nThe Canonical String for this request should have been\n'{canonical}'\n\n"
                f"The String-to-Sign should have been\n'{text}'\n",
            )
        if body_hash is not None and body_hash != payload_hash:
            raise chunked.sha256_mismatch(payload_hash, body_hash)
        _check_all_signed(request, claim, model)
        return _decoded(request, claim, known)


def _is_same(expected: str, stated: str) -> bool:
    """Whether a signature is the right one; what is not ASCII cannot be compared, and is none."""
    return stated.isascii() and hmac.compare_digest(expected, stated)


def _list_texts_v2(request: HttpRequest, path: str) -> list[str]:
    """Return the texts that may have been signed by version 2."""
    # A bucket is signed as a folder too: so boto3 does it, whatever path it sends.
    paths = [path, f"{path}/"] if path.count("/") == 1 and path != "/" else [path]
    return [sigv2.string_to_sign(request, each) for each in paths]


def _is_signed_v2(claim: sigv2.Claim, secret: str, texts: list[str]) -> bool:
    """Whether a secret has signed one of the texts by version 2."""
    return any(_is_same(sigv2.signature(secret, text), claim.signature) for text in texts)


def _check_all_signed(request: HttpRequest, claim: Claim, model: ServiceModel) -> None:
    """Raise where a request says more than its caller has signed: all `x-amz-` headers are to be (IAM User Guide).

    The body's hash needs no signing: it is in the canonical request itself. Nor does a session token, which some
    services want added after signing: a temporary key is known together with its token only.
    """
    signed = claim.credential.names
    unsigned = [name for name in request.headers if name.startswith("x-amz-") and name not in signed]
    if not unsigned or unsigned == ["x-amz-content-sha256"]:
        return
    if model.name == "s3":
        raise AwsError(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            status=403,
            HeadersNotSigned=", ".join(unsigned),
        )
    for name in unsigned:
        if name not in _NEED_NOT_BE_SIGNED:
            raise _mismatch(model, f"'{name.title()}' must be a 'SignedHeader' in the AWS Authorization.")


def _check_stated_hash(request: HttpRequest) -> None:
    """Raise unless the body has the hash that is stated for it, where no signature is looked at."""
    stated = request.headers.get("x-amz-content-sha256", sigv4.UNSIGNED_PAYLOAD)
    if stated == sigv4.UNSIGNED_PAYLOAD or stated in chunked.MODES:
        return
    if len(stated) != _SHA256_HEX_LENGTH:
        raise AwsError(
            "InvalidArgument",
            f"x-amz-content-sha256 must be {sigv4.UNSIGNED_PAYLOAD}, {', '.join(sorted(chunked.MODES))}, or a valid "
            "sha256 value.",
            status=400,
            ArgumentName="x-amz-content-sha256",
            ArgumentValue=stated,
        )
    body = request.body
    if isinstance(body, bytes) and hashlib.sha256(body).hexdigest() != stated:
        raise chunked.sha256_mismatch(stated, hashlib.sha256(body).hexdigest())


def _payload_hash(request: HttpRequest, claim: Claim) -> tuple[str, str | None]:
    """Return the hash that was signed, and the body's own where the two were stated apart and must agree."""
    body = request.body
    stated = request.headers.get("x-amz-content-sha256")
    if stated is None:
        if claim.service == "s3" and claim.expires is not None:
            return sigv4.UNSIGNED_PAYLOAD, None
        if not isinstance(body, bytes):
            return sigv4.UNSIGNED_PAYLOAD, None
        return (hashlib.sha256(body).hexdigest() if body else sigv4.EMPTY_SHA256), None
    if isinstance(body, bytes) and stated != sigv4.UNSIGNED_PAYLOAD and stated not in chunked.MODES:
        return stated, hashlib.sha256(body).hexdigest()
    return stated, None


def _decoded(request: HttpRequest, claim: Claim | None, known: Credential | None) -> bytes | BodyStream:
    """Return the body without the aws-chunked coding; chunk signatures are verified where the key is known."""
    body = request.body
    mode = request.headers.get("x-amz-content-sha256")
    if mode is None:
        return body
    if mode not in chunked.MODES:
        if isinstance(body, bytes) or len(mode) != _SHA256_HEX_LENGTH:
            return body
        return chunked.HashedBody(body, mode)
    signer = chunked.ChunkSigner(claim, known.secret_key) if claim is not None and known is not None else None
    decoder = chunked.ChunkDecoder(mode, signer)
    return chunked.DecodedBody(chunked.WholeBody(body) if isinstance(body, bytes) else body, decoder)


def _check_time(claim: Claim, model: ServiceModel) -> None:
    _check_skew(claim, model)
    if claim.credential.date != claim.timestamp[:8]:
        raise _mismatch(
            model,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{claim.credential.date}' != '{claim.timestamp[:8]}', from '{claim.timestamp}'.",
        )


def _check_skew(claim: Claim, model: ServiceModel) -> None:
    signed, clock = claim.signed_at, wall_time()
    now = int(clock)
    if claim.expires is not None:
        if clock > signed + claim.expires:
            if model.name == "s3":
                raise AwsError("AccessDenied", "Request has expired", status=403, X_Amz_Expires=str(claim.expires))
            raise AwsError("RequestExpired", "Request has expired.", status=400)
        if signed > now + _HEADER_SKEW_SECONDS:
            raise AwsError("AccessDenied", "Request is not valid yet", status=403)
        return
    if abs(now - signed) <= _HEADER_SKEW_SECONDS:
        return
    if model.name == "s3":
        raise AwsError(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            status=403,
            RequestTime=claim.timestamp,
            ServerTime=_amz_date(now),
            MaxAllowedSkewMilliseconds=str(_HEADER_SKEW_SECONDS * 1000),
        )
    if model.protocols[0] == "ec2":
        raise AwsError("RequestExpired", "Request has expired.", status=400)
    if signed < now:
        raise _mismatch(
            model,
            f"Signature expired: {claim.timestamp} is now earlier than {_amz_date(now - _HEADER_SKEW_SECONDS)} "
            f"({_amz_date(now)} - 15 min.)",
        )
    raise _mismatch(
        model,
        f"Signature not yet current: {claim.timestamp} is still later than {_amz_date(now + _HEADER_SKEW_SECONDS)} "
        f"({_amz_date(now)} + 15 min.)",
    )


def _amz_date(seconds: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def speaks_query(model: ServiceModel) -> bool:
    """Whether a service names its errors as the query protocol does."""
    return model.query_compatible or model.protocols[0] in ("query", "ec2")


def _mismatch(model: ServiceModel, message: str) -> AwsError:
    if model.name == "s3" or speaks_query(model):
        return AwsError("SignatureDoesNotMatch", message, status=403)
    return AwsError("InvalidSignatureException", message, status=403)


def _unknown_key(claim: Claim, model: ServiceModel) -> AwsError:
    if model.name == "s3":
        if claim.token is not None:
            return AwsError("InvalidToken", "The provided token is malformed or otherwise invalid.", status=400)
        return AwsError(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            status=403,
            AWSAccessKeyId=claim.access_key,
        )
    code = "InvalidClientTokenId" if speaks_query(model) else "UnrecognizedClientException"
    return AwsError(code, "The security token included in the request is invalid.", status=403)


def expired_token(model: ServiceModel) -> AwsError:
    """The error for temporary credentials whose time is up."""
    if model.name == "s3":
        return AwsError("ExpiredToken", "The provided token has expired.", status=400)
    code = "ExpiredToken" if speaks_query(model) else "ExpiredTokenException"
    return AwsError(code, "The security token included in the request is expired", status=403)


def unreadable(model: ServiceModel, error: sigv4.Malformed, request: HttpRequest) -> AwsError:
    """The error for a request whose signature cannot be read, be it in its headers or in its URL."""
    reason = str(error)
    authorization = request.headers.get("authorization")
    if model.name == "s3" and authorization is not None and any(mark in request.query for mark in _PRESIGNED):
        return AwsError(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
            "parameter or the Authorization header should be specified",
            status=400,
            ArgumentName="Authorization",
            ArgumentValue=authorization,
        )
    if model.name == "s3" and isinstance(error, sigv2.Malformed):
        return AwsError("AccessDenied", reason, status=403)
    if model.name == "s3" and reason == sigv4.UNSUPPORTED:
        return AwsError("InvalidRequest", reason, status=400)
    if model.name == "s3":
        code = "AuthorizationHeaderMalformed" if authorization is not None else "AuthorizationQueryParametersError"
        return AwsError(code, reason, status=400)
    code = "IncompleteSignature" if speaks_query(model) else "IncompleteSignatureException"
    return AwsError(code, reason, status=403)


def missing_token(model: ServiceModel) -> AwsError:
    """The error for an unsigned request that nothing lets in."""
    if model.name == "s3":
        return AwsError("AccessDenied", "Access Denied", status=403)
    code = "MissingAuthenticationToken" if speaks_query(model) else "MissingAuthenticationTokenException"
    return AwsError(code, "Request is missing Authentication Token", status=403)
