"""The nouns of jackstop and the schemas of its tables (floor 0): values only, no I/O, no clock."""
