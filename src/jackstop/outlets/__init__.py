"""Outlets (floor 6): how alerts leave the live service, one file per transport, found by file name; shapes are `sinks`."""
