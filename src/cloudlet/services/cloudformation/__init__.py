"""AWS CloudFormation: stacks of resources, made, changed and removed by templates.

A stack operation is carried out by a reconciler, one resource at a time or as many as dependencies allow, and may be
killed at any point: it goes on where it was, and does nothing twice. Behaviour: CloudFormation User Guide, "Template
reference", and API Reference. Resource types are declared by the blocks that have them (`core.aws.resources`).
"""
