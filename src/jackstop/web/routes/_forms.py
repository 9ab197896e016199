"""What the pages' forms share: what somebody types to show who they are."""

from dataclasses import dataclass

from jackstop.web import passwords


@dataclass(frozen=True, slots=True)
class Chosen:
    """A new password as typed twice."""

    password: str
    again: str

    def fault(self, name: str) -> str:
        """Why it cannot be taken, as a key of the texts; empty where it can."""
        return "password_differs" if self.password != self.again else passwords.fault(self.password, name)
