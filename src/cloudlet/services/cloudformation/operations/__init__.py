"""Stack operations: what is asked for, checked; and the reconciler that carries it out."""
