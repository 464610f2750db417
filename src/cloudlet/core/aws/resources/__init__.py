"""Resource types, as CloudFormation and the Cloud Control API have them: declarations, schemas, and provisioning.

Nothing here knows of stacks. A provisioner makes, updates and deletes one resource by the operations that its type's
declaration names.
"""
