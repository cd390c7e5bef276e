"""What is wanted, less what is stored, goes to an executor and then into the store."""

from seedwise.study.local import LocalExecutor
from seedwise.study.ray import RayExecutor
from seedwise.study.study import Study

__all__ = ["LocalExecutor", "RayExecutor", "Study"]
