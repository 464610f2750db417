"""Passwords in URLs are not shown, however the URLs are written."""

from __future__ import annotations

import pytest

from cloudlet.core.host.url_passwords import masked


@pytest.mark.parametrize("scheme", ["http", "https", "HTTP", "Https"])
def test_the_password_of_a_url_is_masked(scheme: str) -> None:
    assert masked(f"{scheme}://user:secret@example.com/") == f"{scheme}://user:****@example.com/"


@pytest.mark.parametrize(
    "text", ["http://example.com/", "http://user@example.com/", "user:secret@example.com", "a@b.c"]
)
def test_what_has_no_password_is_shown_as_it_is(text: str) -> None:
    assert masked(text) == text
