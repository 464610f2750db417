"""AWS Key Management Service: keys that encrypt, sign and authenticate, and never leave it.

Key material is made by the `cryptography` package, or imported, and is kept encrypted under the cloud's master key. Key
policies and grants decide who uses a key, where permissions are enforced; deletion, rotation and expiry happen by jobs.

Documented in the KMS Developer Guide and API Reference; where Cloudlet differs: docs/services/kms.md.
"""
