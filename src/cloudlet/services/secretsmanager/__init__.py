"""AWS Secrets Manager: secrets with versions and staging labels, encrypted by KMS, rotated by functions.

A value that was acknowledged is on disk, encrypted under a data key of the secret's KMS key; a secret that has
versions has exactly one AWSCURRENT. Rotations survive a crash, and a secret is never rotated twice at the same time.

Documented in the Secrets Manager User Guide and API Reference; where Cloudlet differs: docs/services/secretsmanager.md.
"""
