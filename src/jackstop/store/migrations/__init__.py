"""Migrations of the live store's schema (Alembic), run by `store.migrate` and not by hand.

A schema that changes gets a new file in `versions`; those that were released are never altered.
"""
