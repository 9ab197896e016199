"""Reports (floor 5): results as programs read them (`outputs`) and as people read them (`text`, `html`)."""
