"""The event store, the read models and NATS."""
