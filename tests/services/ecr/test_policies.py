"""Policies of repositories and registries, as they are set and shown."""

from __future__ import annotations

import json
from typing import Any

from tests.refused import code_of, refused
from tests.services.ecr.registry import Registry

NAME = "shop/web"


def document(**statement: Any) -> str:
    full = {"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage", **statement}
    return json.dumps({"Version": "2012-10-17", "Statement": [full]})


def test_a_repository_has_a_policy(ecr: Any, shop: Registry) -> None:
    code, message = refused(ecr.get_repository_policy, repositoryName=NAME)
    assert code == "RepositoryPolicyNotFoundException"
    assert message.startswith(f"Repository policy does not exist for the repository with name '{NAME}'")
    assert code_of(ecr.delete_repository_policy, repositoryName=NAME) == code
    text = document()
    assert ecr.set_repository_policy(repositoryName=NAME, policyText=text)["policyText"] == text
    assert ecr.get_repository_policy(repositoryName=NAME)["policyText"] == text
    assert ecr.delete_repository_policy(repositoryName=NAME)["policyText"] == text
    assert code_of(ecr.get_repository_policy, repositoryName=NAME) == code


def test_a_text_that_is_no_policy(ecr: Any, shop: Registry) -> None:
    said = "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid {} policy provided'"
    of_a_resource = document(Resource="*")
    for text in ("", "{}", document(Effect="Maybe"), document(Principal=None), of_a_resource):
        refusal = refused(ecr.set_repository_policy, repositoryName=NAME, policyText=text)
        assert refusal == ("InvalidParameterException", said.format("repository"))
    for text in ("{}", document()):
        refusal = refused(ecr.put_registry_policy, policyText=text)
        assert refusal == ("InvalidParameterException", said.format("registry"))


def test_a_policy_that_locks_out_needs_force(ecr: Any, shop: Registry) -> None:
    text = document(Effect="Deny", Action="ecr:*")
    assert code_of(ecr.set_repository_policy, repositoryName=NAME, policyText=text) == "InvalidParameterException"
    ecr.set_repository_policy(repositoryName=NAME, policyText=text, force=True)


def test_a_registry_has_a_policy(ecr: Any) -> None:
    for call in (ecr.get_registry_policy, ecr.delete_registry_policy):
        assert code_of(call) == "RegistryPolicyNotFoundException"
    text = document(Action="ecr:ReplicateImage", Resource="*")
    ecr.put_registry_policy(policyText=text)
    assert ecr.get_registry_policy()["policyText"] == text
    assert ecr.delete_registry_policy()["policyText"] == text
    assert code_of(ecr.get_registry_policy) == "RegistryPolicyNotFoundException"
