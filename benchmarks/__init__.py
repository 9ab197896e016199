"""Speed, as ratios within one run against named peers on the same work. `make bench`, or `python -m benchmarks NAME`."""
