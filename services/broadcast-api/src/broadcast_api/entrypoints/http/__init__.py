"""HTTP v1."""
