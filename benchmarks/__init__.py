"""Speed, as ratios within one run against named peers on the same work. `make bench`, or `python -m benchmarks NAME`."""

from jackstop.runners import rubbish

rubbish.seldom()  # as in jackstop's own processes
