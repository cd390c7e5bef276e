"""A Slurm of two nodes on this machine: munge, a controller, and two daemons."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["NEEDED", "Slurm"]

NEEDED = "munged", "slurmctld", "slurmd", "sbatch"
NODES = "one", "two"
CONFIG = """
ClusterName=seedwise
SlurmctldHost=localhost
SlurmctldPort={controller}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
GresTypes=gpu
MpiDefault=none
KillWait=5
NodeName=one NodeHostname=localhost NodeAddr=127.0.0.1 Port={one} CPUs=4 Gres=gpu:1
NodeName=two NodeHostname=localhost NodeAddr=127.0.0.1 Port={two} CPUs=4 Gres=gpu:1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """The cluster, in a folder of its own; `close` ends it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: list[subprocess.Popen[bytes]] = []
        for name in ("state", *(f"spool.{node}" for node in NODES)):
            (folder / name).mkdir()
        ports = dict(zip(("controller", *NODES), _free_ports(3), strict=True))
        config = CONFIG.format(folder=folder, user=getpass.getuser(), **ports)
        (folder / "slurm.conf").write_text(config)
        (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")  # one that is only counted
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed"}
        words = [f"--{word}={folder}/munge.{end}" for word, end in files.items()]
        try:
            self._start(
                "munged", "--foreground", "--force", f"--log-file={folder}/munge.log", *words
            )
            wait_for(lambda: (folder / "munge.socket").exists(), "munge")
            self._start("slurmctld", "-D")
            for node in NODES:
                self._start("slurmd", "-D", "-N", node)
            wait_for(lambda: self("sinfo", "-h", "-o", "%T %D") == "idle 2", "two idle nodes")
        except BaseException:
            self.close()
            raise

    def _start(self, *words: str) -> None:
        """A daemon of the cluster."""
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        with (self._folder / f"daemon.{len(self._daemons)}").open("wb") as log:
            started = subprocess.Popen(
                [shutil.which(words[0], path=path) or words[0], *words[1:]],
                stdout=log,
                stderr=log,
                env=self._environment,
            )
        self._daemons.append(started)

    def __call__(self, *words: str, cwd: Path | None = None, **environment: str) -> str:
        """Output of a command of Slurm."""
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=cwd,
            env={**self._environment, **environment},
        )
        return (done.stdout + done.stderr).strip()

    def submit(self, script: Path, *words: str, **environment: str) -> str:
        """Submit a script from its folder; the number of its job."""
        number = self(
            "sbatch", "--parsable", *words, script.name, cwd=script.parent, **environment
        )
        assert number.isdecimal(), number
        return number

    def job(self, number: str) -> dict[str, str]:
        """State of a job, as Slurm tells it."""
        said = self("scontrol", "show", "job", number).split("\n\n")[0]
        return dict(word.split("=", 1) for word in said.split() if "=" in word)

    def start_now(self, number: str) -> None:
        """Spare a job that was requeued its two minutes of waiting."""
        wait_for(lambda: self.job(number)["JobState"] == "PENDING", f"{number} requeued")
        self("scontrol", "update", f"JobId={number}", "StartTime=now")

    def close(self) -> None:
        """End its jobs and daemons."""
        if len(self._daemons) > 1:
            self("scancel", "--state=RUNNING")
            self("scancel", "--state=PENDING")
            wait_for(lambda: not self("squeue", "-h"), "no jobs")
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def wait_for(there: Callable[[], bool], what: str, *, seconds: float = 120) -> None:
    """Wait until something is there."""
    give_up = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < give_up, f"waited {seconds:g} s for {what}"
        time.sleep(0.5)


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
