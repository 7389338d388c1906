"""Takes recall batches from NATS and deletes the messages."""
