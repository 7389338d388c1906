"""Fixtures that every suite may use."""

pytest_plugins = ["tests.support.nats", "tests.support.postgres"]
