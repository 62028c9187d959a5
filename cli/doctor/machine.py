"""Judges the machine: cores, memory and files for the worker processes that are to run on it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from penstock.cli.doctor.finding import MACHINE, Finding
from penstock.cli.figures import counted, size

_FEW_FILES: Final = 256  # connections to brokers, libraries, and a client at the health page each take one
# Libraries that Python models use take a thread for each core, in each process, unless one of these says less.
THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Machine:
    """What a process may use here.

    Attributes:
        cores: that it may run on, by its affinity.
        quota: cores' worth of time that its control group allows; None is no bound.
        memory_bytes: the least of what there is and what its control groups allow.
        open_files: the soft limit.
        variables: those of `THREAD_VARIABLES` that are set.
    """

    cores: int
    quota: float | None
    memory_bytes: int
    open_files: int
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Load:
    """What the settings ask of a machine.

    Attributes:
        processes: worker processes.
        threads: of each, for a batch.
        buffered_bytes: of requests that each may hold.
        python_models: whether there are models in Python.
    """

    processes: int
    threads: int
    buffered_bytes: int
    python_models: bool


def judge_machine(machine: Machine, load: Load) -> list[Finding]:
    """Judge a machine by what is asked of it."""
    return [_cores(machine, load), _memory(machine, load), *_files(machine), *_threads(machine, load)]


def _cores(machine: Machine, load: Load) -> Finding:
    usable = min(float(machine.cores), machine.quota or float(machine.cores))
    wanted = load.processes * load.threads
    here = counted(usable, "core")
    if machine.quota is not None and machine.quota < machine.cores:
        here += f" (a quota, of {machine.cores})"
    work = counted(load.processes, "process", "processes")
    work += f" with {load.threads} threads each" if load.threads > 1 else ""
    if wanted <= max(1.0, usable):
        return MACHINE.ok("cores", f"{here} for {work}")
    return MACHINE.warning(
        "cores",
        f"{work}, and {here}",
        "They take turns: each batch takes longer, and no more gets done.",
        f"Set worker.processes times models.intra_op_threads to {max(1, int(usable))} or less.",
    )


def _memory(machine: Machine, load: Load) -> Finding:
    held, there = load.processes * load.buffered_bytes, machine.memory_bytes
    what = f"{size(there)} of memory; {size(held)} of it for requests waiting"
    why = "Requests read and not answered yet may take all of worker.max_buffered_bytes, in each process."
    mend = "Lower worker.max_buffered_bytes, or run fewer processes."
    if held > there:
        return MACHINE.fault("memory", what, f"{why} The process is killed then.", mend)
    if held > there / 2:
        return MACHINE.warning("memory", what, f"{why} The models and Python itself need some too.", mend)
    return MACHINE.ok("memory", what)


def _files(machine: Machine) -> Iterator[Finding]:
    if machine.open_files < _FEW_FILES:
        why = "Each connection and each library takes one; without any left, a worker cannot reconnect."
        yield MACHINE.warning("files", f"a process may open {machine.open_files} files", why, "", ("ulimit -n 4096",))


def _threads(machine: Machine, load: Load) -> Iterator[Finding]:
    if not load.python_models:
        return  # ONNX Runtime does not look at them
    for name, value in machine.variables.items():
        if value.isdigit() and int(value) * load.processes > machine.cores:
            why = "numpy and others take so many threads in each process of a Python model: they take turns."
            mend = f"Set it to {max(1, machine.cores // load.processes)}."
            yield MACHINE.warning("threads", f"{name}={value}, and {machine.cores} cores", why, mend)
