"""The registry: what clients push to and pull from, by the OCI distribution protocol 1.1.

Each request is one of the API's operations, for the principal of its token: so permissions, CloudTrail and limits are
the same on both ways. OCI distribution specification (https://github.com/opencontainers/distribution-spec).
"""
