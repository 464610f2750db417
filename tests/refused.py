"""Calls that a client of boto3 is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def refused(call: Callable[..., Any], /, *arguments: Any, **params: Any) -> tuple[str, str]:
    """Make a call that is refused, and not because something is broken; return the error's code and message."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **params)
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] != 500
    return answer["Error"]["Code"], answer["Error"]["Message"]


def code_of(call: Callable[..., Any], /, *arguments: Any, **params: Any) -> str:
    """Make a call that is refused, and not because something is broken; return the error's code."""
    return refused(call, *arguments, **params)[0]
