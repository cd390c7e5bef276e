"""Arrays with their kind and shape, as signatures name them: `Float64[ndarray, " runs"]`.

For type checkers these are jaxtyping's. At run time they are names for people and the reference:
jaxtyping itself loads unittest and asyncio, 0.1 to 0.2 s of processor time in every command.
"""

from typing import TYPE_CHECKING

__all__ = [
    "Bool",
    "Float",
    "Float16",
    "Float32",
    "Float64",
    "Int",
    "Int8",
    "Int32",
    "Int64",
    "Integer",
    "UInt8",
    "UInt64",
]

if TYPE_CHECKING:
    from jaxtyping import (
        Bool,
        Float,
        Float16,
        Float32,
        Float64,
        Int,
        Int8,
        Int32,
        Int64,
        Integer,
        UInt8,
        UInt64,
    )
else:

    class _ArrayKind(type):
        """A kind of number, of which an array type and a shape make a class without members."""

        def __getitem__(cls, said: tuple[type, str]) -> type:
            array, shape = said
            name = f"{cls.__name__}[{array.__name__}, {shape!r}]"
            return type(name, (), {"__module__": __name__, "__slots__": ()})

    for _name in __all__:
        globals()[_name] = _ArrayKind(_name, (), {"__module__": __name__})
