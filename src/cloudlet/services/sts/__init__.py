"""AWS Security Token Service: who am I, and credentials for a while.

GetCallerIdentity, GetAccessKeyInfo and GetSessionToken are built; roles and federation come with IAM. It keeps no
state: temporary credentials carry their own proof (`cloudlet.core.kernel.tokens`).
Source: AWS Security Token Service API Reference.
"""
