"""Inputs with bytes changed, cut out, doubled, moved: the same for the same seed."""

import numpy as np

INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)


def mutated(content, rng):
    """One to eight changes of a file's bytes."""
    made = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        if not made:
            return b""
        place = int(rng.integers(0, len(made)))
        size = int(min(len(made) - place, rng.integers(1, 33)))
        match int(rng.integers(0, 6)):
            case 0:
                made[place] ^= 1 << int(rng.integers(0, 8))
            case 1:
                made[place] = int(rng.choice(INTERESTING))
            case 2:
                del made[place : place + size]
            case 3:
                made[place:place] = made[place : place + size]
            case 4:
                made[place : place + size] = rng.bytes(size)
            case _:
                del made[place:]
    return bytes(made)


def mutations(contents, count, seed):
    """`count` mutations, of each of the contents in turn."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        yield mutated(contents[number % len(contents)], rng)
