"""The GPUs of this machine, told apart without loading torch: one process is given each."""

import csv
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from seedwise.errors import ConfigError

__all__ = ["Card", "Devices", "check_devices", "chosen_cards", "spread", "visible_cards"]

Devices = int | tuple[int, ...] | Literal["auto"]
"""GPUs to use: how many, which of those that are visible (counted from 0), or all."""

_QUERY = ("nvidia-smi", "--query-gpu=name,uuid,memory.free", "--format=csv,noheader,nounits")
_SECONDS_TO_ANSWER = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A GPU that a process is to have for itself.

    Attributes:
        number: Its entry in `CUDA_VISIBLE_DEVICES`: a number, or a UUID.
        name: Its model.
        free: Free memory, bytes.
        runs: Runs side by side on it.
        by_slot: Whether `number` counts as nvidia-smi does, by the slot. CUDA would count the
            fastest first.
    """

    number: str
    name: str
    free: int
    runs: int = 1
    by_slot: bool = True

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables under which this card is the only one that a new process sees."""
        order = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if self.by_slot else {}
        return {"CUDA_VISIBLE_DEVICES": self.number, **order}


def check_devices(devices: Any) -> None:
    """Refuse what names no GPUs.

    Raises:
        ConfigError: It is neither `auto`, a number above 0, nor different numbers from 0.
    """
    if devices == "auto" or (type(devices) is int and devices > 0):
        return
    places: tuple[Any, ...] = devices if isinstance(devices, tuple) else ()
    if 0 < len(places) == len(set(places)) and all(map(_is_place, places)):
        return
    raise ConfigError(
        "devices must be auto, a number of GPUs, or their numbers from 0, each once (0,1); got "
        f"{devices!r}"
    )


def _is_place(number: object) -> bool:
    return type(number) is int and number >= 0


def chosen_cards(devices: Devices, cards: Sequence[Card]) -> tuple[Card, ...]:
    """Those of the visible cards that were asked for.

    Raises:
        ConfigError: There are not so many.
    """
    if devices == "auto":
        return tuple(cards)
    most = devices if isinstance(devices, int) else max(devices) + 1
    if most > len(cards):
        said = devices if isinstance(devices, int) else ",".join(map(str, devices))
        seen = ", ".join(f"{i} ({card.name})" for i, card in enumerate(cards)) or "none"
        raise ConfigError(f"devices {said} were asked for; the GPUs visible here are: {seen}")
    if isinstance(devices, int):
        return tuple(cards[:devices])
    return tuple(cards[number] for number in devices)


def spread(cards: Sequence[Card], runs: int) -> tuple[Card, ...]:
    """So many runs side by side, evenly over the cards; cards that would get none are left out.

    >>> [card.runs for card in spread([Card(number=n, name="", free=0) for n in "012"], 4)]
    [2, 1, 1]
    """
    share, more = divmod(runs, len(cards))
    counts = [share + (place < more) for place in range(len(cards))]
    return tuple(replace(c, runs=n) for c, n in zip(cards, counts, strict=True) if n)


def visible_cards() -> tuple[Card, ...]:
    """The NVIDIA GPUs that a program started here may use, in their order; none without a driver.

    Where `CUDA_VISIBLE_DEVICES` names some, its entries are kept as they are: numbers, UUIDs or
    parts of them. Like CUDA, this stops at the first that is none.
    """
    cards = _all_cards()
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    if said is None or not cards:
        return tuple(card for card, _ in cards)
    found: list[Card] = []
    for entry in map(str.strip, said.split(",")):
        fits = [
            card for card, uuid in cards if entry == card.number or (entry and _is(entry, uuid))
        ]
        if len(fits) != 1 or any(card.number == entry for card in found):
            break
        found.append(replace(fits[0], number=entry, by_slot=False))
    return tuple(found)


def _is(entry: str, uuid: str) -> bool:
    return entry.startswith("GPU-") and uuid.startswith(entry)


def _all_cards() -> list[tuple[Card, str]]:
    """Every card that the driver knows, with its UUID."""
    if shutil.which(_QUERY[0]) is None:
        return []
    try:
        done = subprocess.run(
            _QUERY, capture_output=True, text=True, timeout=_SECONDS_TO_ANSWER, check=True
        )
    except (OSError, subprocess.SubprocessError):  # a driver that does not answer has no cards
        return []
    rows = [row for row in csv.reader(done.stdout.splitlines()) if len(row) == 3]
    return [
        (Card(number=str(number), name=name.strip(), free=_bytes(free)), uuid.strip())
        for number, (name, uuid, free) in enumerate(rows)
    ]


def _bytes(mebibytes: str) -> int:
    """Some cards share the machine's memory, and say "[N/A]"."""
    text = mebibytes.strip()
    return int(text) * 2**20 if text.isdecimal() else 0
