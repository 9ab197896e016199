"""The continuous measures (floor 4): pure functions over hours of verdicts and of what `hourly.count` counted.

`measures` puts them together: the ratio of dispenses to transactions with its drift, cabinet events out of hours by week,
approved and blocked changes of software, and falls of cash against each terminal's own profile.
"""

from jackstop.kpi.hourly import HOURS, count
from jackstop.kpi.intervals import poisson, wilson
from jackstop.kpi.summary import MOVED, Terms, measures

__all__ = ["HOURS", "MOVED", "Terms", "count", "measures", "poisson", "wilson"]
