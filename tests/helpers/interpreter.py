"""Triton's interpreter, which runs kernels on a CPU, under today's numpy."""

import os
from importlib.util import find_spec
from typing import Any

__all__ = ["mend_interpreter"]


def mend_interpreter() -> None:
    """Let loops of interpreted kernels end at a number that a kernel has reckoned.

    Up to 3.6 the interpreter makes a number of an array of one element by `int`, which numpy 2.5
    refuses for all but arrays without dimensions. Compiled kernels know nothing of it.
    """
    if os.environ.get("TRITON_INTERPRET") != "1" or find_spec("triton") is None:
        return
    from triton.runtime import interpreter  # pyright: ignore[reportMissingImports]

    patch = interpreter._patch_lang_tensor

    def mended(tensor: Any, *scope: Any) -> None:
        patch(tensor, *scope)
        tensor.__index__ = lambda self: int(self.handle.data.item())

    interpreter._patch_lang_tensor = mended
