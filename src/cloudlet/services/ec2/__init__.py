"""The VPC part of Amazon EC2: virtual networks that are real.

Promises: an interface has an address of its subnet, in a network of its VPC that no other VPC reaches; security groups
and network ACLs decide what passes; routes decide what leaves. Documented in docs/services/ec2.md.
"""
