"""Encryption of objects: which one a request asks for, and that with a customer's key itself.

S3 user guide, "Protecting data with server-side encryption". Under a customer's key (SSE-C) every file, and every small
object, is encrypted with AES-256 in counter mode, under a key of its own that is derived from the customer's and a name
that is never used twice. Of the customer's key nothing is kept but a salted HMAC that tells whether a key is the one.
Keys of KMS are the affair of `data_keys`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

import msgspec

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets.bucket import configuration
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data.data_cipher import Cipher, count, derive, make_tag
from cloudlet.services.s3.object_data.objects import Encryption

_ENCRYPTION: Final = "x-amz-server-side-encryption"
_KEY_BYTES: Final = 32
_DUAL_LAYER: Final = "aws:kms:dsse"
_KMS: Final = ("aws:kms", _DUAL_LAYER)
_BY_US: Final = Encryption()
_CUSTOMERS: Final = {
    prefix: tuple(f"{prefix}SSECustomer{name}" for name in ("Algorithm", "Key", "KeyMD5"))
    for prefix in ("", "CopySource")
}
_ASKING: Final = frozenset(("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled", "SSEKMSEncryptionContext"))

_decode_context: Final = msgspec.json.Decoder(dict[str, str]).decode


@dataclass(frozen=True)
class CustomerKey:
    """A key that came with a request."""

    key: bytes
    md5: str

    def sealed(self) -> Encryption:
        """Return what is kept of this key with an object."""
        salt = random_bytes(16)
        return Encryption("", customer_md5=self.md5, salt=salt, proof=self._proof(salt))

    def opens(self, encryption: Encryption) -> bool:
        """Whether an object was encrypted with this key."""
        return hmac.compare_digest(self._proof(encryption.salt), encryption.proof)

    def encrypt(self, nonce: str) -> Cipher:
        """Return what encrypts bytes."""
        return count(derive(self.key, nonce))

    def decrypt(self, nonce: str, offset: int, size: int) -> Cipher:
        """Return what decrypts bytes from `offset` on."""
        return count(derive(self.key, nonce), offset)

    def get_range(self, offset: int, size: int, total: int) -> tuple[int, int]:
        """Return where bytes are stored: where they would be as they are."""
        return offset, size

    def tag(self, md5: bytes) -> str:
        """Return an entity tag for contents with this MD5 that tells those who have not the key nothing of them."""
        return make_tag(self.key, md5)

    def _proof(self, salt: bytes) -> bytes:
        return hmac.digest(self.key, b"proof\0" + salt, hashlib.sha256)


def customer_key(params: Params, prefix: str = "") -> CustomerKey | None:
    """Return the customer's key that a request brings, or None; `prefix` is "CopySource" for that of a copy's source.

    Raises AwsError for one that is not complete, or not right.
    """
    names = _CUSTOMERS[prefix]
    if params.keys().isdisjoint(names):
        return None
    algorithm, text, md5 = map(params.get, names)
    named = "Requests specifying Server Side Encryption with Customer provided keys must provide"
    if not algorithm:
        raise _invalid(f"{named} a valid encryption algorithm.")
    if algorithm != "AES256":
        raise AwsError(
            "InvalidEncryptionAlgorithmError",
            "The Encryption request you specified is not valid. Supported value: AES256.",
            status=400,
            ArgumentName=_ENCRYPTION,
            ArgumentValue=algorithm,
        )
    if not text:
        raise _invalid(f"{named} an appropriate secret key.")
    if not md5:
        raise _invalid(f"{named} the client calculated MD5 of the secret key.")
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise _invalid("The secret key was invalid for the specified algorithm.")
    if base64.b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode() != md5:
        raise _invalid("The calculated MD5 hash of the key did not match the hash that was provided.")
    return CustomerKey(key, md5)


def _invalid(message: str) -> AwsError:
    # Whichever of the three headers it is about, S3 names this one, without its value.
    return errors.invalid_argument(message, _ENCRYPTION, "null")


async def of_new_object(
    ctx: Context, tx: Transaction, bucket: Bucket, params: Params, sealed: Encryption | None
) -> Encryption:
    """Return how a new object is to be encrypted: as its request says, or else its bucket. Raises AwsError.

    `sealed` is what is kept of the customer's key that came with the request, if one did.
    """
    if sealed is None and "encryption" not in bucket.kinds and params.keys().isdisjoint(_ASKING):
        return _BY_US
    algorithm = params.get("ServerSideEncryption")
    kms_key, bucket_key = params.get("SSEKMSKeyId") or "", params.get("BucketKeyEnabled")
    context = params.get("SSEKMSEncryptionContext") or ""
    if algorithm is None and (kms_key or context):
        raise _not_kms("null")
    if algorithm == "AES256" and kms_key:
        raise _not_kms(algorithm)
    if sealed is None and algorithm is None and "encryption" not in bucket.kinds:
        return _BY_US
    rule = await _default(tx, bucket)
    if sealed is not None:
        if algorithm is not None:
            raise errors.invalid_argument(
                "Server Side Encryption with Customer provided key is incompatible with the encryption method "
                "specified",
                _ENCRYPTION,
                algorithm,
            )
        if "SSE-C" in (rule.get("BlockedEncryptionTypes") or {}).get("EncryptionType", []):
            raise errors.access_denied("SSE-C encryption is blocked by the bucket's configuration.")
        return sealed
    if algorithm is None:
        default = rule.get("ApplyServerSideEncryptionByDefault") or {}
        algorithm = default.get("SSEAlgorithm", "AES256")
        kms_key = kms_key or default.get("KMSMasterKeyID") or ""
    if algorithm != "AES256" and algorithm not in _KMS:
        raise errors.invalid_argument("The encryption method specified is not supported", _ENCRYPTION, algorithm)
    if algorithm == "AES256":
        return _BY_US
    if context:
        _check_context(context)
    if not kms_key:
        kms_key = f"arn:{partition_of(bucket.region)}:kms:{bucket.region}:{ctx.principal.account}:alias/aws/s3"
    if bucket_key and algorithm == _DUAL_LAYER:
        message = f"An S3 Bucket Key is not applicable to {_DUAL_LAYER}"
        raise errors.invalid_argument(message, f"{_ENCRYPTION}-bucket-key-enabled", "true")
    if bucket_key is None:
        bucket_key = algorithm != _DUAL_LAYER and bool(rule.get("BucketKeyEnabled"))
    return Encryption(algorithm, kms_key, context, bucket_key)


def _check_context(text: str) -> None:
    """Raise InvalidArgument for what is no encryption context: a map of texts, in JSON, in base64."""
    try:
        _decode_context(base64.b64decode(text, validate=True))
    except ValueError:
        raise errors.invalid_argument(
            "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which "
            "represents a string-string map",
            "x-amz-server-side-encryption-context",
            text,
        ) from None


def _not_kms(algorithm: str) -> AwsError:
    return errors.invalid_argument(
        "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
        _ENCRYPTION,
        algorithm,
    )


async def _default(tx: Transaction, bucket: Bucket) -> Params:
    rules = (await configuration(tx, bucket, "encryption") or {}).get("Rules") or [{}]
    return dict(rules[0])


def to_api(encryption: Encryption | None) -> Params:
    """Return what answers say about an encryption."""
    if encryption is None:
        return {}
    if encryption.customer_md5:
        return {"SSECustomerAlgorithm": "AES256", "SSECustomerKeyMD5": encryption.customer_md5}
    answer: Params = {"ServerSideEncryption": encryption.algorithm}
    if encryption.kms_key:
        answer["SSEKMSKeyId"] = encryption.kms_key
        if encryption.bucket_key:
            answer["BucketKeyEnabled"] = True
    return answer


def check_key(encryption: Encryption | None, key: CustomerKey | None) -> None:
    """Raise AwsError unless a request has the key that an object needs, and none where it needs none."""
    needed = encryption is not None and bool(encryption.customer_md5)
    if key is None:
        if needed:
            raise errors.invalid_request(
                "The object was stored using a form of Server Side Encryption. The correct parameters must be provided "
                "to retrieve the object."
            )
        return
    if encryption is None or not needed:
        raise errors.invalid_request("The encryption parameters are not applicable to this object.")
    if not key.opens(encryption):
        raise errors.access_denied()
