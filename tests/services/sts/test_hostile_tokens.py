"""Whatever somebody sends as a token, it is refused and breaks nothing."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.services.sts.id_tokens import IdToken
from cloudlet.services.sts.saml_metadata import SamlMetadata
from cloudlet.services.sts.saml_responses import read_assertion
from tests.services.sts.saml import IdentityProvider, encoded

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_CLAIMS = st.fixed_dictionaries(
    dict.fromkeys(("iss", "sub", "aud", "exp", "iat"), _JSON),
    optional=dict.fromkeys(
        ("nbf", "azp", "amr", "https://aws.amazon.com/tags", "https://aws.amazon.com/source_identity"), _JSON
    ),
)
_HEADER = st.fixed_dictionaries({"alg": st.sampled_from(("RS256", "ES512", "none")) | _JSON}, optional={"kid": _JSON})


def _pack(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


@given(st.text(max_size=100))
def test_texts_are_no_tokens(text: str) -> None:
    with pytest.raises(AwsError):
        IdToken.parse(text)


@given(_HEADER, _CLAIMS | _JSON, st.booleans())
def test_claims_may_be_anything(header: Any, claims: Any, is_of_an_issuer: bool) -> None:
    if is_of_an_issuer and isinstance(claims, dict):
        claims = {**claims, "iss": "https://example.com", "sub": "user"}
    try:
        token = IdToken.parse(f"{_pack(header)}.{_pack(claims)}.c2lnbmF0dXJl")
        token.find_audience(["client"])
        assert token.source_identity is not None
        assert token.to_keys("client")
        assert len(token.list_transitive_keys()) < 10
        assert len(list(token.list_tags())) < 10
        token.check_times(time.time())
    except AwsError:
        return


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" * 400, f"-{'1' * 400}", "0.5", "NaN"])
def test_times_may_be_any_number(number: str) -> None:
    claims = f'{{"iss":"https://a.example","sub":"user","aud":"client","iat":1,"exp":{number}}}'
    payload = base64.urlsafe_b64encode(claims.encode()).rstrip(b"=").decode()
    try:
        IdToken.parse(f"{_pack({'alg': 'RS256'})}.{payload}.c2lnbmF0dXJl").check_times(time.time())
    except AwsError:
        return


_PROVIDER = IdentityProvider()
_METADATA = SamlMetadata.parse(_PROVIDER.metadata())
_ROLE, _ARN = "arn:aws:iam::111111111111:role/r", "arn:aws:iam::111111111111:saml-provider/p"


@given(st.data())
def test_a_signed_response_that_was_changed_anywhere_says_nothing_else(data: st.DataObject) -> None:
    genuine = _PROVIDER.respond(_PROVIDER.sign(_PROVIDER.assertion(_ROLE, _ARN)))
    at = data.draw(st.integers(0, len(genuine) - 1))
    changed = (
        genuine[:at] + data.draw(st.text("abc<>/&!-\"' ", max_size=5)) + genuine[at + data.draw(st.integers(0, 5)) :]
    )
    try:
        said = read_assertion(encoded(changed), _METADATA, time.time())
    except AwsError:
        return
    # What is around the assertion was not signed.
    assert (said.subject, said.issuer) == ("carol", _PROVIDER.entity_id)
    assert said.attributes == read_assertion(encoded(genuine), _METADATA, time.time()).attributes


@given(st.binary(max_size=200))
def test_bytes_are_no_response(data: bytes) -> None:
    with pytest.raises(AwsError):
        read_assertion(base64.b64encode(data).decode(), _METADATA, time.time())
