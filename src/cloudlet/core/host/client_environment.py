"""The variables by which clients of AWS find whom to ask, and as whom (AWS SDKs and Tools Reference Guide)."""

from __future__ import annotations

from collections.abc import Iterable

_PAST_THE_ENDPOINT = frozenset(("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",))
_OTHER_CREDENTIALS = frozenset(("AWS_DEFAULT_PROFILE", "AWS_PROFILE", "AWS_SESSION_TOKEN"))
_ENDPOINT_OF_ONE_SERVICE = "AWS_ENDPOINT_URL_"


def find_overriding_variables(names: Iterable[str], *, own_keys: bool = False) -> list[str]:
    """Return which variables count for more than an endpoint and keys that are set beside them.

    With `own_keys`, the keys are the user's own, and what belongs to them is none of these.
    """
    aside = _PAST_THE_ENDPOINT if own_keys else _PAST_THE_ENDPOINT | _OTHER_CREDENTIALS
    return [name for name in names if name in aside or name.startswith(_ENDPOINT_OF_ONE_SERVICE)]
