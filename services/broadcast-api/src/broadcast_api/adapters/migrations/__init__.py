"""How the SQL tables became what they are, revision by revision: read by Alembic in `init`."""
