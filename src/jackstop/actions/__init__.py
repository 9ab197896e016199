"""Actions (floor 5): how a decided action leaves the service, one file per way, found by file name."""
