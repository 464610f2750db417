"""AWS Certificate Manager: certificates of an authority of Cloudlet's own, and those of others.

A certificate is issued once its domains are validated, and renewed before it expires while it is used. Private keys
are kept encrypted. The authority is this Cloudlet's own: only clients that are told so trust it.

Documented in the AWS Certificate Manager User Guide and API Reference; where Cloudlet differs: docs/services/acm.md.
"""
