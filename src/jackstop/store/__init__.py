"""Where results rest: one SQLite file per investigation (docs/decisions/0006)."""
