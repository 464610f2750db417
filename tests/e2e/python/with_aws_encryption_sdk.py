"""The AWS Encryption SDK, whose data keys KMS makes: run by tests/e2e/test_python.py with the clients' Python."""

from __future__ import annotations

import io
import os

import aws_encryption_sdk as esdk
import boto3
import pytest
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
from aws_encryption_sdk.identifiers import AlgorithmSuite, CommitmentPolicy
from aws_encryption_sdk.key_providers.kms import MRKAwareStrictAwsKmsMasterKeyProvider

CLIENT = esdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
CONTEXT = {"app": "shop", "purpose": "test"}


def create_key(**params: bool) -> str:
    arn: str = boto3.client("kms").create_key(**params)["KeyMetadata"]["Arn"]
    return arn


def provide(*arns: str) -> esdk.StrictAwsKmsMasterKeyProvider:
    return esdk.StrictAwsKmsMasterKeyProvider(key_ids=list(arns))


def test_messages_come_back() -> None:
    arn = create_key()
    plaintext = os.urandom(100_000)
    ciphertext, header = CLIENT.encrypt(source=plaintext, key_provider=provide(arn), encryption_context=CONTEXT)
    assert header.encryption_context["app"] == "shop"
    decrypted, header = CLIENT.decrypt(source=ciphertext, key_provider=provide(arn))
    assert decrypted == plaintext
    assert CONTEXT.items() <= header.encryption_context.items()


def test_any_of_several_keys_decrypts() -> None:
    one, other = create_key(), create_key()
    ciphertext, _ = CLIENT.encrypt(source=b"hello", key_provider=provide(one, other))
    assert CLIENT.decrypt(source=ciphertext, key_provider=provide(other))[0] == b"hello"
    with pytest.raises(AWSEncryptionSDKClientError):
        CLIENT.decrypt(source=ciphertext, key_provider=provide(create_key()))


def test_keys_are_discovered() -> None:
    ciphertext, _ = CLIENT.encrypt(source=b"hello", key_provider=provide(create_key()))
    assert CLIENT.decrypt(source=ciphertext, key_provider=esdk.DiscoveryAwsKmsMasterKeyProvider())[0] == b"hello"


def test_a_rotated_key_decrypts_what_is_old() -> None:
    arn = create_key()
    ciphertext, _ = CLIENT.encrypt(source=b"hello", key_provider=provide(arn))
    boto3.client("kms").rotate_key_on_demand(KeyId=arn)
    assert CLIENT.decrypt(source=ciphertext, key_provider=provide(arn))[0] == b"hello"


def test_a_replica_decrypts_in_its_region() -> None:
    arn = create_key(MultiRegion=True)
    boto3.client("kms").replicate_key(KeyId=arn, ReplicaRegion="eu-west-1")
    ciphertext, _ = CLIENT.encrypt(source=b"hello", key_provider=MRKAwareStrictAwsKmsMasterKeyProvider(key_ids=[arn]))
    replica = arn.replace("us-east-1", "eu-west-1")
    provider = MRKAwareStrictAwsKmsMasterKeyProvider(key_ids=[replica])
    assert CLIENT.decrypt(source=ciphertext, key_provider=provider)[0] == b"hello"


def test_streams_and_data_keys_that_are_cached() -> None:
    manager = esdk.CachingCryptoMaterialsManager(
        cache=esdk.LocalCryptoMaterialsCache(capacity=10),
        master_key_provider=provide(create_key()),
        max_age=60.0,
        max_messages_encrypted=10,
    )
    suite = AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
    for number in range(5):
        source = io.BytesIO(str(number).encode() * 10_000)
        with CLIENT.stream(mode="e", source=source, materials_manager=manager, algorithm=suite) as encrypting:
            ciphertext = encrypting.read()
        assert CLIENT.decrypt(source=ciphertext, materials_manager=manager)[0] == source.getvalue()
