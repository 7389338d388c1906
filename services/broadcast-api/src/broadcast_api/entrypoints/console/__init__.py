"""The operator console: server-rendered pages over the use cases and queries that HTTP v1 uses too."""
