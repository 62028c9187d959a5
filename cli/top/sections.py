"""The tables of the page: models, lanes, workers, errors and dead letters. Pure."""

from collections.abc import Sequence
from typing import Final

from penstock.cli.figures import NOTHING, duration, size
from penstock.cli.pages.fetch import place_of
from penstock.cli.top.figures import count, per_second, rows, share, span
from penstock.cli.top.tables import ACT, GOOD, LOOK, Cell, Column, Section
from penstock.cli.top.view import CodeLine, LaneLine, ModelLine, Totals, View, WorkerLine

MANY_ERRORS: Final = 0.05  # share of the answers from which on somebody should act
_BUSY: Final = 0.9  # of a core
_STATE_STYLES: Final = {"ready": GOOD, "not ready": LOOK, "silent": ACT, "gone": ACT, "no page": LOOK}
_UNHEALTHY: Final = 1e12  # is never left out


def models(view: View) -> Section:
    """Return the table of models."""
    lines = view.models
    others = any(line.versions != line.serving for line in lines if line.name)
    columns = [
        Column("MODEL", 12, [line.name or "(no model)" for line in lines], right=False, grows=True),
        Column("VERSION", 7, [",".join(line.serving) or NOTHING for line in lines], right=False),
        Column(
            "LOADED", 7, [",".join(line.versions) or NOTHING for line in lines], right=False, rank=3 if others else 9
        ),
        Column("ANSWERED", 8, [count(line.answered) for line in lines], rank=4),
        Column("RATE", 9, [per_second(line.answered_per_s) for line in lines]),
        Column("ERRORS", 6, [error_share(line) for line in lines]),
        Column("BATCH", 6, [rows(line.batch_rows) for line in lines]),
        Column("RUN P50", 7, [duration(line.inference.p50_s) for line in lines]),
        Column("RUN P99", 7, [duration(line.inference.p99_s) for line in lines]),
        Column("ERRORS BY CODE", 30, [_codes(line) for line in lines], right=False, rank=8),
    ]
    if not others:
        columns = [column for column in columns if column.title != "LOADED"]
    return Section(columns, [line.answered for line in lines])


def lanes(view: View) -> Section:
    """Return the table of request topics."""
    lines = view.lanes
    columns = [
        Column("REQUEST TOPIC", 13, [line.topic for line in lines], right=False, grows=True),
        Column("OWNED", 7, [_owned(line) for line in lines]),
        Column("LAG", 7, [count(line.lag) for line in lines]),
        Column("ARRIVING", 9, [per_second(line.arriving_per_s) for line in lines], rank=1),
        Column("FINISHED", 9, [per_second(line.finished_per_s) for line in lines], rank=2),
        Column("OWNERS", 6, [count(line.owners) for line in lines], rank=3),
    ]
    return Section(columns, [line.lag or 0 for line in lines])


def workers(view: View) -> Section:
    """Return the table of worker processes."""
    lines = view.workers
    columns = [
        Column("WORKER", 14, [place_of(line.url) for line in lines], right=False, grows=True),
        Column("PID", 7, [NOTHING if line.pid is None else str(line.pid) for line in lines]),
        Column("STATE", 9, [_state(line) for line in lines], right=False),
        Column("RATE", 9, [per_second(line.answered_per_s) for line in lines]),
        Column("CPU", 5, [_cpu(line) for line in lines]),
        Column("MEMORY", 8, [size(line.memory_bytes) for line in lines]),
        Column("PARTS", 5, [count(line.partitions) for line in lines]),
        Column("LAG", 7, [count(line.lag) for line in lines]),
        Column("UP", 10, [span(line.uptime_s) for line in lines], rank=2),
        Column("REBALANCES", 10, [count(line.rebalances) for line in lines], rank=3),
        Column("PENSTOCK", 8, [line.version or NOTHING for line in lines], right=False, rank=5),
        Column("CLIENT ID", 34, [line.client_id for line in lines], right=False, rank=4),
    ]
    return Section(columns, [_UNHEALTHY if line.state != "ready" else line.lag or 0 for line in lines])


def errors(view: View) -> Section:
    """Return the table of error codes."""
    return _coded("ERROR", view.errors)


def dead_letters(view: View) -> Section:
    """Return the table of dead letters."""
    return _coded("DEAD LETTER", view.dead_letters)


def lag_words(view: View) -> Cell:
    """Say what the lag does."""
    totals = view.totals
    answered = totals.answered_per_s or 0.0
    if totals.lag is None:
        return ""
    if view.kafka_problem is not None:  # workers know the ends of their partitions by what they have fetched
        return "as last known", LOOK
    if totals.lag <= answered or not totals.lag:  # a second's work is on its way, not late
        return "keeping up", GOOD
    return _trend(totals, moving=answered > 0)


def _trend(totals: Totals, *, moving: bool) -> Cell:
    if totals.lag_per_s is None:
        return ""
    if totals.clears_s is not None:
        return f"clears in {span(totals.clears_s)}", GOOD
    if totals.lag_per_s > 0:
        return f"growing {per_second(totals.lag_per_s)}", LOOK if moving else ACT
    return ("steady", LOOK) if moving else ("not moving", ACT)


def error_share(line: ModelLine | Totals) -> Cell:
    """Return the share of errors, coloured by what it asks for."""
    if not line.error_share:
        return share(line.error_share)
    return share(line.error_share), ACT if line.error_share >= MANY_ERRORS else LOOK


def _coded(title: str, lines: Sequence[CodeLine]) -> Section:
    columns = [
        Column(title, 16, [line.code for line in lines], right=False, grows=True),
        Column("RATE", 9, [_code_rate(line) for line in lines]),
        Column("IN ALL", 7, [count(line.count) for line in lines]),
    ]
    return Section(columns, [line.count for line in lines])


def _code_rate(line: CodeLine) -> Cell:
    return (per_second(line.per_s), LOOK) if line.per_s else per_second(line.per_s)


def _codes(line: ModelLine) -> str:
    return ", ".join(f"{code.code} {per_second(code.per_s)}" for code in line.codes if code.per_s)


def _owned(line: LaneLine) -> Cell:
    if line.partitions is None:
        return str(line.owned)
    text = f"{line.owned}/{line.partitions}"
    return text if line.owned == line.partitions and line.partitions else (text, ACT)


def _state(line: WorkerLine) -> Cell:
    text = "paused" if line.paused and line.state == "ready" else line.state
    return text, LOOK if text == "paused" else _STATE_STYLES.get(line.state, "")


def _cpu(line: WorkerLine) -> Cell:
    if line.cpu is None:
        return NOTHING
    text = f"{line.cpu:.0%}"
    return (text, LOOK) if line.cpu >= _BUSY else text
