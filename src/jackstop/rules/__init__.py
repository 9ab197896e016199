"""Rules: Sigma 2.1 detections and correlations over our tables (floor 2, pure: text in, values out).

`load` reads rule files; `RuleSet.of(rules).match(frames)` finds hits among new rows; `correlate` finds what hits make together.
"""

from jackstop.rules.correlate import RESULTS, correlate, keep
from jackstop.rules.fault import Fault
from jackstop.rules.load import Pipeline, load
from jackstop.rules.rule import About, Correlation, Loaded, Rule
from jackstop.rules.ruleset import RuleSet, empty

__all__ = [
    "RESULTS",
    "About",
    "Correlation",
    "Fault",
    "Loaded",
    "Pipeline",
    "Rule",
    "RuleSet",
    "correlate",
    "empty",
    "keep",
    "load",
]
