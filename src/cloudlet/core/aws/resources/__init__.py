"""Resource types, as CloudFormation and the Cloud Control API have them: declarations, schemas, provisioning, reading.

Nothing here knows of stacks. A provisioner makes, updates and deletes one resource by the operations that its type's
declaration names; a reader reads and lists them as they are.
"""
