"""What expressions are refused with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cloudlet.core import AwsError


def refused(call: Callable[..., Any], *args: Any, **options: Any) -> str:
    """Return the message of the ValidationException that a call raises."""
    with pytest.raises(AwsError) as caught:
        call(*args, **options)
    assert caught.value.code == "ValidationException"
    return str(caught.value.message)
