"""AWS Security Token Service: who am I, and credentials for a while.

It keeps no state: temporary credentials carry their own proof (`cloudlet.core.kernel.tokens`). Roles, managed
policies, MFA devices and identity providers are IAM's, which is asked for them.
Source: AWS Security Token Service API Reference; IAM User Guide, "Temporary security credentials in IAM".
"""
