"""The errors of IAM in AWS's words."""

from __future__ import annotations

from functools import partial
from typing import Final

from cloudlet.core import AwsError

no_such_entity: Final = partial(AwsError, "NoSuchEntity")
"""The error about a resource that does not exist."""
already_exists: Final = partial(AwsError, "EntityAlreadyExists")
"""The error about a name that is taken."""
delete_conflict: Final = partial(AwsError, "DeleteConflict")
"""The error about a resource that still has others beneath it."""
limit_exceeded: Final = partial(AwsError, "LimitExceeded")
"""The error about a quota that is used up."""
invalid_input: Final = partial(AwsError, "InvalidInput")
"""The error about a value that makes no sense."""
malformed_policy: Final = partial(AwsError, "MalformedPolicyDocument")
"""The error about a document that is no policy."""
not_attachable: Final = partial(AwsError, "PolicyNotAttachable")
"""The error about a policy for services' own roles."""
validation: Final = partial(AwsError, "ValidationError", status=400)
"""The error about a request that breaks a rule of the model's documentation."""
access_denied: Final = partial(AwsError, "AccessDenied", status=403)
"""The error about a caller of the wrong kind."""
wrong_marker: Final = partial(validation, "Invalid Marker.")
"""The error about a marker that no list has answered."""


def make_quota_error(name: str, value: int) -> AwsError:
    """Return the error about a quota, by AWS's name for it, that is used up."""
    return limit_exceeded(f"Cannot exceed quota for {name}: {value}")


def make_protected_error(name: str) -> AwsError:
    """Return the error about a role that a service has made for itself."""
    return AwsError(
        "UnmodifiableEntity",
        f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS",
    )
