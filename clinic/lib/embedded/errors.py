"""What stops a start, said in one line with the way out."""


class EmbeddedError(Exception):
    """A start that cannot go on: what is wrong, and what the person can do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy
