"""Key material: made, kept encrypted, and held ready for use in memory.

What is held is bounded, and is found by the material's id, so that it is never out of date: whether a key may be used
at all is read from its record each time.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.sized_cache import SizedCache
from cloudlet.services.kms import errors, key_pairs
from cloudlet.services.kms.ciphertext import Cipher
from cloudlet.services.kms.key_record import CURRENT, NON_CURRENT, Key, Material, make_key_arn
from cloudlet.services.kms.key_spec import get_spec

_CACHE_BYTES: Final = 16 * 2**20
_CIPHER_BYTES: Final = 2_048
_PRIVATE_KEY_BYTES: Final = 16_384

_ready: PerBlock[SizedCache[tuple[str, str], Any]] = PerBlock(lambda block: SizedCache(_CACHE_BYTES))
"""Ciphers and private keys, by the key's ARN and the material's id."""


def make(block: Block, arn: str, spec: str) -> Material:
    """Return new random material of a symmetric key."""
    return encrypt(block, arn, random_bytes(get_spec(spec).size))


def encrypt(block: Block, arn: str, secret: bytes, material_id: str = "") -> Material:
    """Return material as a key's record has it."""
    material_id = material_id or random_bytes(32).hex()
    return Material(material_id, block.cloud.vault.encrypt(secret, _make_place(arn, material_id)))


def decrypt(block: Block, arn: str, material: Material) -> bytes:
    """Return material as it is used."""
    return block.cloud.vault.decrypt(material.secret, _make_place(arn, material.id))


def replicate(block: Block, key: Key, material: Material, region: str) -> Material:
    """Return material of a key for the related key of another region."""
    if not material.secret:
        return material
    arn = make_key_arn(key.account, region, key.name)
    return replace(material, secret=encrypt(block, arn, decrypt(block, key.arn, material), material.id).secret)


def _make_place(arn: str, material_id: str) -> str:
    return f"{arn}/{material_id}"


def get_current(key: Key) -> Material:
    """Return the material that encrypts and signs."""
    current = key.current
    if current is None or not current.secret:
        raise errors.InvalidState(f"{key.arn} is pending import.")
    return current


def get_cipher(block: Block, key: Key, material: Material) -> Cipher:
    """Return the cipher of a symmetric key's material."""
    ready, place = _ready.get(block), (key.arn, material.id)
    cipher: Cipher | None = ready.get(place)
    if cipher is None:
        cipher = Cipher(key.account, key.region, key.name, material.id, decrypt(block, key.arn, material))
        ready.add(place, cipher, _CIPHER_BYTES)
    return cipher


def get_private_key(block: Block, key: Key) -> key_pairs.PrivateKey:
    """Return the private key of a key pair."""
    material = get_current(key)
    ready, place = _ready.get(block), (key.arn, material.id)
    private_key = ready.get(place)
    if private_key is None:
        private_key = key_pairs.load_private_key(decrypt(block, key.arn, material))
        ready.add(place, private_key, _PRIVATE_KEY_BYTES)
    return private_key


def rotate(materials: tuple[Material, ...], new: Material, rotation: str, now: float) -> tuple[Material, ...]:
    """Return a key's materials once a new one has become current.

    It may be among them already.
    """
    old = tuple(
        replace(each, state=NON_CURRENT) if each.state == CURRENT else each for each in materials if each.id != new.id
    )
    return (*old, replace(new, state=CURRENT, rotated=now, rotation=rotation))
