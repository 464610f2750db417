"""Provisioning of a stack's resources, by their types' operations or by the block itself."""
