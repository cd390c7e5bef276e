"""The Ray that makes runs: how it is reached, and what becomes of its machines meanwhile."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from seedwise.errors import ClusterLost, ConfigError, MissingPackage
from seedwise.figures import count
from seedwise.live.events import Notice, Watch

__all__ = ["Cluster", "connected", "ray_package"]

_STORE_BYTES = 256 * 2**20
"""Shared memory of a Ray that we start: a record is 100 KB, and few wait to be read."""

_SECONDS_BETWEEN_LOOKS = 1.0
"""Seconds between two looks at the cluster: asking takes a millisecond."""

_SECONDS_TO_REACH = 10.0

_AUTH_MODE = "RAY_AUTH_MODE"


class Cluster:
    """The machines of the Ray that is connected, looked at once a second."""

    def __init__(self, ray: Any, *, ours: bool) -> None:
        self._ray = ray
        self._resources: dict[str, float] = {}
        self._count, self._looked = 0, float("-inf")
        me = ray.get_runtime_context().get_node_id()
        node = next(node for node in ray.nodes() if node["NodeID"] == me)
        # The port of Ray's own process on this machine, through which all of a driver's work goes.
        self._door = node["NodeManagerAddress"], node["NodeManagerPort"]
        self._ours = ours

    @property
    def resources(self) -> dict[str, float]:
        """Resources of the whole cluster by kind, e.g. `CPU`."""
        return self._resources

    def look(self, watch: Watch) -> None:
        """See what the cluster has now; tell of machines that came, went, or never came.

        Raises:
            ClusterLost: Ray has ended on this machine.
        """
        self.check()
        now = time.monotonic()
        if now - self._looked < _SECONDS_BETWEEN_LOOKS:
            return
        self._looked = now
        self._resources = self._ray.cluster_resources()
        alive = sum(node["Alive"] for node in self._ray.nodes())
        before, self._count = self._count, alive
        if not before:
            self._tell_of_missing(alive, watch)
        elif alive != before:
            came = "came" if alive > before else "was lost"
            watch(Notice(text=f"a machine {came}: Ray has {alive} now, and had {before}"))

    def check(self) -> None:
        """Make sure that Ray is there: a task of a Ray that ended never comes back.

        Ray itself finds out after 15 s and then fails whatever is asked of it, again and again.

        Raises:
            ClusterLost: It has ended.
        """
        try:
            socket.create_connection(self._door, timeout=_SECONDS_TO_REACH).close()
        except ConnectionRefusedError:
            raise ClusterLost(
                "Ray ended on this machine (its raylet is gone), and with it the runs under way; "
                "stored runs are kept, and the same command continues"
                + ("" if self._ours else " once there is a Ray again")
            ) from None
        except OSError:
            return  # busy, but there

    def _tell_of_missing(self, alive: int, watch: Watch) -> None:
        """Tell where a Slurm job has more machines than Ray."""
        said = os.environ.get("SLURM_JOB_NUM_NODES", "")
        nodes = int(said) if said.isdecimal() else 0
        if nodes <= alive:
            return
        text = f"Ray has {alive} of the {count(nodes, 'node')} of this Slurm job"
        if self._ours:
            text += ': a Ray of our own uses this machine only; say address = "auto" in [executor]'
        else:
            text += "; the others make runs once they join"
        watch(Notice(text=text))


def ray_package() -> Any:
    """The package ray.

    Raises:
        MissingPackage: It is not installed.
    """
    try:
        import ray
        import ray.exceptions
    except ModuleNotFoundError:
        raise MissingPackage("ray", "executor ray", extra="ray") from None
    return ray


@contextmanager
def connected(address: str | None) -> Generator[Any]:
    """Ray, connected as long as this is open; a connection that the program has is left alone.

    Args:
        address: `auto` or `host:port`; None starts a Ray on this machine.

    Raises:
        ConfigError: There is none, or none that lets us in.
    """
    ray = ray_package()
    if ray.is_initialized():
        yield ray
        return
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # what it says of lost workers, we say
    ours = {"object_store_memory": _STORE_BYTES, "include_dashboard": False}
    with _signals_kept():
        hint = ""
        try:
            _check_reachable(address)
            hint = _token_hint() if address else ""
            ray.init(
                address=address or "local",
                log_to_driver=False,
                configure_logging=False,
                **({} if address else ours),
            )
        except (ray.exceptions.RayError, ValueError, RuntimeError, OSError) as error:
            where = f"at {address!r}" if address else "on this machine"
            raise ConfigError(f"no Ray {where}: {' '.join(str(error).split())}{hint}") from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _token_hint() -> str:
    """Advice for a token that lies ready and that Ray is not told to use.

    `ray start --head` asks for it wherever one lies in `~/.ray`, and any `ray.init` leaves one
    there; neither `ray start --address` nor a driver sends it unless told to.
    """
    if _AUTH_MODE in os.environ:
        return ""
    there = "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ
    with suppress(OSError, RuntimeError):  # a home that cannot be read, or is nowhere
        there = there or (Path.home() / ".ray" / "auth_token").exists()
    return f"; it may ask for your token: export {_AUTH_MODE}=token" if there else ""


def _check_reachable(address: str | None) -> None:
    """Find out in seconds that nothing answers; Ray would try for minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_SECONDS_TO_REACH).close()


@contextmanager
def _signals_kept() -> Generator[None]:
    """Ray takes SIGTERM for itself, and would end the process before the study is closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
