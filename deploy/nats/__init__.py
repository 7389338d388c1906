"""The permissions of a NATS server, written from `broadcast_delivery.identities`."""
