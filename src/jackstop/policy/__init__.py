"""Policy (floor 4): what may be done and when: response decisions with limits, the interlock's answers, safety timers. Pure."""
