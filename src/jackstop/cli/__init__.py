"""The command `jackstop`: one module per command, found by its file's name."""
