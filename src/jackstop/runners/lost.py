"""What can go wrong with decoding processes; light, for those who only need its name."""


class WorkerLost(Exception):
    """A decoding process ended by itself; the message says which files it had."""
