"""Where bytes come from: bundles of files on disk. The only room that reads logs from the outside."""
