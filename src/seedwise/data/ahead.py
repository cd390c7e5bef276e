"""Work done ahead of its use, by threads, in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

__all__ = ["map_ahead"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def map_ahead(
    function: Callable[[_Item], _Result], items: Iterable[_Item], *, threads: int
) -> Iterator[_Result]:
    """Like `map`, with up to two results a thread ready or under way.

    The results come in the order of the items, an exception where its result would have come.
    Threads help only where `function` lets go of the interpreter's lock, as decoders do.

    Args:
        function: What is done to each item.
        items: Read one by one in the caller's thread, no further than there is room ahead.
        threads: 0 does everything in the caller's thread, when it is asked for.
    """
    if threads == 0:
        yield from map(function, items)
        return
    waiting = iter(items)
    pool = ThreadPoolExecutor(threads)
    under_way: deque[Future[_Result]] = deque()
    try:
        for item in islice(waiting, 2 * threads):
            under_way.append(pool.submit(function, item))
        while under_way:
            result = under_way.popleft().result()
            for item in islice(waiting, 1):
                under_way.append(pool.submit(function, item))
            yield result
    finally:  # the consumer may stop early: what has not begun is not begun
        pool.shutdown(wait=True, cancel_futures=True)
