"""Pages of lists that are short enough to be made as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudlet.core.aws.page_tokens import make_page_token, parse_name_token
from cloudlet.services.elbv2.errors import ValidationError
from cloudlet.services.elbv2.limits import PAGE_SIZE


def show_page(member: str, items: Sequence[Any], marker: str | None, size: int | None) -> dict[str, Any]:
    """Return the page that a marker leads to, under a member's name. Raises ValidationError."""
    wrong = ValidationError("The specified marker is not valid")
    text = parse_name_token(marker, wrong)
    if text and not text.isdecimal():
        raise wrong
    begin, size = int(text or 0), size or PAGE_SIZE
    following = make_page_token(str(begin + size).encode()) if begin + size < len(items) else None
    return {member: list(items[begin : begin + size]), "NextMarker": following}
