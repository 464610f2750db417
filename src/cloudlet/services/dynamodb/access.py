"""Who may do what with a table."""
