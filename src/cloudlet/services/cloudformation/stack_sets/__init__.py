"""Stack sets: one template's stacks in many accounts and regions. User guide, "Managing stacks across accounts"."""
