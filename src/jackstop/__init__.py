"""jackstop: every banknote that leaves a cash machine is explained by an authorisation, or becomes an alert."""

__version__ = "0.1.0"
