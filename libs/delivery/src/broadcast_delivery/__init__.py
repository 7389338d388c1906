"""The delivery protocol: the fenced ledger of a batch and the worker that stands on it."""
