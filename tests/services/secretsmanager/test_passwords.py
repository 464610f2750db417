"""Random passwords."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.services.secretsmanager import passwords
from tests.services.secretsmanager.cloud import SecretCloud

TYPES = {
    "ExcludeLowercase": string.ascii_lowercase,
    "ExcludeUppercase": string.ascii_uppercase,
    "ExcludeNumbers": string.digits,
    "ExcludePunctuation": string.punctuation,
}


def _make(cloud: SecretCloud, **params: Any) -> str:
    password: str = cloud.client.get_random_password(**params)["RandomPassword"]
    return password


def test_a_password_has_32_characters_of_each_type(cloud: SecretCloud) -> None:
    password = _make(cloud)
    assert len(password) == 32
    assert all(set(password) & set(characters) for characters in TYPES.values())
    assert " " not in password
    assert _make(cloud) != password


def test_types_and_characters_are_excluded(cloud: SecretCloud) -> None:
    assert set(_make(cloud, PasswordLength=4096, ExcludePunctuation=True, ExcludeUppercase=True)) == set(
        string.ascii_lowercase + string.digits
    )
    assert set(
        _make(cloud, PasswordLength=4096, ExcludeLowercase=True, ExcludeNumbers=True, ExcludeCharacters="ABC/@\"'")
    ) == set(string.ascii_uppercase + string.punctuation) - set("ABC/@\"'")
    assert " " in _make(cloud, PasswordLength=4096, IncludeSpace=True)


def test_what_cannot_be_made_is_refused(cloud: SecretCloud) -> None:
    assert cloud.refused("get_random_password", PasswordLength=3) == (
        "InvalidParameterException",
        "Password length 3 too short based on the required types.",
    )
    assert len(_make(cloud, PasswordLength=3, RequireEachIncludedType=False)) == 3
    nothing = dict.fromkeys(TYPES, True)
    assert cloud.refused("get_random_password", **nothing)[0] == "InvalidRequestException"
    assert cloud.refused("get_random_password", ExcludeCharacters=string.digits)[0] == "InvalidRequestException"


@settings(max_examples=200)
@given(
    st.integers(1, 60),
    st.sets(st.sampled_from(sorted(TYPES))),
    st.text(string.printable.strip(), max_size=40),
    st.booleans(),
    st.booleans(),
)
def test_a_password_is_as_asked_for(
    length: int, excluded: set[str], characters: str, has_space: bool, has_each: bool
) -> None:
    left = {kind: set(TYPES[kind]) - set(characters) for kind in TYPES if kind not in excluded}
    try:
        password = passwords.make(length, excluded, frozenset(characters), has_space=has_space, has_each=has_each)
    except AwsError:
        assert not any(left.values()) or (has_each and (length < len(left) or not all(left.values())))
        return
    allowed = set[str]().union(*left.values()) | ({" "} if has_space else set())
    assert len(password) == length
    assert set(password) <= allowed
    if has_each:
        assert all(set(password) & each for each in left.values())


def test_no_character_is_likelier_than_others() -> None:
    text = passwords.make(
        4096, {"ExcludePunctuation", "ExcludeUppercase", "ExcludeLowercase"}, (), has_space=False, has_each=True
    )
    assert all(300 < text.count(digit) < 520 for digit in string.digits)
