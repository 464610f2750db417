"""Access key ids, and whose they are; the key by which they are known."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.kernel.identity import Kind, Principal
from cloudlet.core.kernel.session_details import SessionDetails
from cloudlet.core.kernel.tokens import TokenSealer, load_master_key, make_access_key_id, parse_account


def test_an_access_key_id_names_its_account() -> None:
    assert parse_account(make_access_key_id("ASIA", "111122223333")) == "111122223333"
    assert parse_account("111122223333") == "111122223333"


@pytest.mark.parametrize("key", ["", "test", "11112222333", "\u0661" * 12, "\uff11" * 12, "ASIA" + "\u0661" * 16])
def test_what_names_no_account_is_of_none(key: str) -> None:
    assert parse_account(key) is None


def test_a_master_key_is_made_once_whatever_one_that_died_has_left(tmp_path: Path) -> None:
    (tmp_path / f"master.{os.getpid()}").touch()
    made = load_master_key(tmp_path / "master.key")
    assert len(made) == 32
    assert load_master_key(tmp_path / "master.key") == made


_SEALER = TokenSealer(b"k" * 32)
_TEXT = st.text(max_size=40)
_DETAILS = st.builds(
    SessionDetails,
    issuer=_TEXT,
    policies=st.lists(st.text(max_size=2048), max_size=2).map(tuple),
    policy_arns=st.lists(_TEXT, max_size=10).map(tuple),
    has_policies=st.booleans(),
    tags=st.dictionaries(_TEXT, _TEXT, max_size=50),
    transitive_tags=st.lists(_TEXT, max_size=5).map(tuple),
    source_identity=_TEXT,
    issued_at=st.floats(0, 2e9),
    mfa_at=st.floats(0, 2e9),
    provider=_TEXT,
    keys=st.dictionaries(_TEXT, _TEXT | st.lists(_TEXT, max_size=3).map(tuple), max_size=5),
)
_KINDS = st.sampled_from(("root", "user", "assumed-role", "federated-user"))


@given(_KINDS, _TEXT, _TEXT, st.none() | _DETAILS, st.floats(0, 2e9), st.integers(0, 4096))
def test_a_token_says_what_it_was_issued_for(
    kind: Kind, arn: str, id: str, details: SessionDetails | None, expires: float, size: int
) -> None:
    principal = Principal(kind, "111122223333", arn, id, invoked_by="lambda.amazonaws.com", session=details)
    issued = _SEALER.issue(principal, expires, size)
    assert len(issued.session_token) >= size
    opened = _SEALER.open(issued.session_token)
    said = opened.principal
    assert (said.kind, said.account, said.arn, said.user_id) == (kind, "111122223333", arn, id)
    assert (said.invoked_by, said.session, opened.expires) == ("lambda.amazonaws.com", details, expires)
    assert said.access_key == issued.access_key
    assert issued.secret_key == _SEALER.derive_secret(issued.access_key)


@given(st.data())
def test_a_token_that_was_changed_was_not_issued_here(data: st.DataObject) -> None:
    size = data.draw(st.sampled_from((0, 2000)))
    issued = _SEALER.issue(Principal("user", "111122223333", "arn", "id"), 1.0, size)
    raw = bytearray(base64.b64decode(issued.session_token))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match="not issued here"):
        _SEALER.open(base64.b64encode(raw).decode())


def test_tokens_of_older_cloudlets_are_read() -> None:
    bearer = {"kind": "user", "account": "111122223333", "arn": "arn", "user_id": "id", "access_key": "ASIAKEY"}
    payload = msgspec.msgpack.encode({"principal": bearer, "expires": 1.0, "padding": "x" * 2000})
    mac = _SEALER._mac(b"token", payload)
    assert _SEALER.open(base64.b64encode(mac + payload).decode()).principal.access_key == "ASIAKEY"
