"""How resources of a stack are provisioned: by their types' operations, or by what the block itself does."""
