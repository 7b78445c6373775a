"""Alembic's directory: ``env.py`` and the versions. New ones are written by hand."""
