"""Python's own settings, for a process that does nothing but serve."""

import gc
import sys
from typing import Final

_SWITCH_S: Final = 0.0005


def tune_interpreter() -> None:
    """Spare the hot path the cyclic collector, and let the engine's thread have the interpreter lock soon.

    What is loaded is never looked at again, and young runs are rare: decoding makes many lists and no cycles, and with
    the default threshold the collector takes half of its time.

    When the model has run, the engine's thread needs the lock for a moment, and then the next batch runs beside the
    event loop. By default it waits for up to 5 ms, as long as several batches of a quick model take. With half of a
    millisecond a quarter more requests a second were answered.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    sys.setswitchinterval(_SWITCH_S)
