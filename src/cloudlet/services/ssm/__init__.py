"""AWS Systems Manager Parameter Store: configuration and secrets by name, with versions and labels.

Values of the type SecureString are encrypted by KMS under the caller's permissions; policies of parameters act by the
cloud's clock. The rest of Systems Manager is not built.

Documented in the AWS Systems Manager User Guide, "Parameter Store", and in the API Reference; where Cloudlet differs:
docs/services/ssm.md.
"""
