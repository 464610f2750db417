"""AWS Identity and Access Management: users, groups, roles and their policies.

It keeps who there is in an account and tells other blocks about it; they decide by `cloudlet.core.aws.policy`.
Behaviour is that of the IAM API Reference and the IAM User Guide.
"""
