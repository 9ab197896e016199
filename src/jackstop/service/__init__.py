"""The live service put together (floor 9): configuration, the front, the loop and their watchman."""
