"""AWS Cloud Control API: all resource types by the same five verbs.

These are create, read, update, delete and list. The types are those that blocks declare for CloudFormation. A request
is written down before anything is called, and carried out by a reconciler: after a crash it goes on where it was, and
nothing is done twice.

Documented in the Cloud Control API User Guide and API Reference; where Cloudlet differs:
docs/services/cloudcontrol.md.
"""
