"""The door that people come in by: /start, block, unblock."""
