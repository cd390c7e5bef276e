"""Parts of the code of a training, each with a digest and, of text, the text."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, Self

__all__ = ["Code", "Kind", "Part", "digest_of_text"]

Kind = Literal["file", "function", "statement", "value", "package"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that a training is made of.

    Attributes:
        kind: `file`: a module of the project, whole. `function`: a function or class of the
            training's own module. `statement`: what gives a global name its value. `value`: what
            is bound, closed over, or stands under a global name. `package`: an installed one.
        name: What it is called, with its module.
        digest: The same for parts that are equal, in every process and on every machine.
        shown: A value in a few letters, or a version; empty for text.
        text: The source text; None for a value, a package, or a text that is not known.
        state: A value that changes as runs are made, which says nothing.
    """

    kind: Kind
    name: str
    digest: str
    shown: str = ""
    text: str | None = field(default=None, compare=False, repr=False)
    state: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Key that tells parts of one code apart."""
        return self.kind, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The code of a training function.

    Attributes:
        parts: Its parts by kind and name.
    """

    parts: Mapping[tuple[str, str], Part]

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Self:
        """The code that has these parts."""
        found = {part.key: part for part in parts}
        return cls(parts=MappingProxyType(dict(sorted(found.items()))))

    @property
    def digest(self) -> str:
        """Of all parts but those that change as runs are made."""
        told = [(*part.key, part.digest) for part in self.parts.values() if not part.state]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    @property
    def texts(self) -> Mapping[str, str]:
        """The source texts by digest."""
        return {part.digest: part.text for part in self.parts.values() if part.text is not None}

    def settled(self, later: "Code") -> Self:
        """This code, with the values as state that are others in `later`: runs changed them."""
        parts = (
            replace(part, state=True)
            if part.kind == "value" and key in later.parts and later.parts[key] != part
            else part
            for key, part in self.parts.items()
        )
        return type(self).of(parts)

    def to_json(self) -> list[list[Any]]:
        """All but the texts."""
        return [
            [part.kind, part.name, part.digest, part.shown, part.state]
            for part in self.parts.values()
        ]

    @classmethod
    def from_json(cls, rows: Iterable[Iterable[Any]], texts: Mapping[str, str]) -> Self:
        """The code that `to_json` wrote, with such texts as there are.

        Raises:
            ValueError: It is something else.
        """
        parts = list[Part]()
        for kind, name, digest, said, state in rows:
            words = (kind, name, digest, said)
            if not all(isinstance(word, str) for word in words) or type(state) is not bool:
                raise ValueError(f"a part of a code is {words}")
            text = texts.get(digest)
            parts.append(
                Part(kind=kind, name=name, digest=digest, shown=said, text=text, state=state)
            )
        return cls.of(parts)


def digest_of_text(text: str) -> str:
    r"""The digest of a source text, whatever its line ends are.

    >>> digest_of_text("a = 1\r\n") == digest_of_text("a = 1\n")
    True
    """
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return hashlib.sha256(plain.encode(errors="backslashreplace")).hexdigest()[:32]
