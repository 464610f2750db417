"""URLs that callers have written, which may be none."""

from __future__ import annotations

from cloudlet.core.aws.urls import split_url


def test_a_text_that_is_no_url_has_no_parts() -> None:
    assert split_url("https://a.example/b").hostname == "a.example"
    for text in ("http://[", "https://[::1", "//[a]b"):
        assert not any(split_url(text))
