"""What is wanted, less what is stored, goes to an executor and then into the store."""

from seedwise.study.recording import record
from seedwise.study.study import Study

__all__ = ["Study", "record"]
