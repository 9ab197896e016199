"""What can go wrong with a store; light, for those who only need its name."""


class StoreError(Exception):
    """The results cannot be written or read; the message says where and why."""
