"""Takes send batches from NATS and delivers them to Telegram."""
