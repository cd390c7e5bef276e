"""What a record says of the machine that a benchmark ran on."""

from pathlib import Path


def cpu_name() -> str:
    """The name of the processor, as Linux has it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
