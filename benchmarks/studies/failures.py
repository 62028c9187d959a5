"""What can go wrong with a study, as one to three lines for a person."""


class StudyError(Exception):
    """A study cannot go on: its message says what happened, and what to do."""
