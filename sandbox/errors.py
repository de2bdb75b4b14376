"""What can go wrong in the sandbox, said so that a person knows what to do next."""

from __future__ import annotations


class SandboxError(Exception):
    """A failure with its reason and, where there is one, the next thing to try."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message
