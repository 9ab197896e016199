"""The API and the few pages of the live service (floor 8)."""
