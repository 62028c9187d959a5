"""A worker that begins late, at a snapshot, or is busy for long ends where those are who did all in its time."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.consumer.control.wishes import Wishes
from penstock.core.model import Signature
from penstock.core.reconciler import Fail, Here, Load, Retire, Serve, failed, next_step
from penstock.schemas.control.past import MOST_PAST
from penstock.schemas.control.specs import Deployment
from penstock.schemas.control.state import Entry
from penstock.schemas.errors import ModelError
from tests.support.shelf import Orders, Shelf, deployment

VERSIONS = ("1", "2", "3", "4")


class Simulated:
    """A worker: what it has heard of, and what it has."""

    def __init__(self, shelf: Shelf, models: list[str]) -> None:
        self.shelf = shelf
        self.wishes = Wishes(shelf, models)
        self.here = Here()

    def hear(self, entry: Entry, *, works: bool = True) -> None:
        """Hear of a command, and do all that there is to do, unless it is busy."""
        self.wishes.note("iris", entry)
        if works:
            self.work()

    def work(self) -> None:
        if (question := self.wishes.question("iris", self.here)) is not None:
            self.wishes.targets["iris"] = question()
        while (step := next_step(self.wishes.targets["iris"], self.here, 0.0)) is not None:
            match step:
                case Load(target, version):
                    signature = self.load(version)
                    if signature is None:
                        self.here.failures[target.offset] = failed(target, self.here, "broken", 0.0, version=version)
                    else:
                        self.here.ready[version] = signature
                case Serve(target):
                    self.here.serving = target
                    self.here.failures.clear()
                case Retire(_, version):
                    del self.here.ready[version]
                case Fail(target, reason):
                    self.here.failures[target.offset] = failed(target, self.here, reason, 0.0)

    def load(self, version: str) -> Signature | None:
        try:
            return self.shelf.signature("iris", version)
        except ModelError:
            return None

    @property
    def serves(self) -> tuple[str, ...]:
        return self.here.serving.needed if self.here.serving else ()

    def refuses(self, entry: Entry) -> bool:
        return entry.offset in self.here.failures


commands = st.none() | st.builds(
    lambda versions, may_change: deployment(*versions, may_change=may_change),
    st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=2, unique=True),
    st.booleans() | st.just(False),
)
widths = st.dictionaries(st.sampled_from(VERSIONS), st.integers(1, 2), min_size=2)
all_widths = st.fixed_dictionaries(dict.fromkeys(VERSIONS, st.integers(1, 2)))
served = st.sampled_from([(), ("1",)])


def lived_through(
    log: list[Deployment | None], widths: dict[str, int], served: tuple[str, ...]
) -> tuple[Simulated, Simulated, Entry]:
    """One worker that was there all the time, one that begins at a snapshot now, and the newest command."""
    shelf, orders = Shelf(served), Orders()
    shelf.meanings |= {each: each for each in VERSIONS}
    shelf.widths = widths
    early, late = (Simulated(shelf, ["iris"] if served else []) for _ in range(2))
    for offset, wanted in enumerate(log):
        early.hear(orders.accept(offset, wanted))
    newest = orders.at_a_snapshot()
    late.hear(newest)
    return early, late, newest


@given(st.lists(commands, min_size=1, max_size=MOST_PAST), widths, served)
def test_it_serves_the_same_and_refuses_the_same(
    log: list[Deployment | None], widths: dict[str, int], served: tuple[str, ...]
) -> None:
    early, late, newest = lived_through(log, widths, served)
    assert (late.serves, late.refuses(newest)) == (early.serves, early.refuses(newest))


@given(
    st.lists(commands, min_size=1, max_size=30),
    all_widths,
    served,
)
def test_however_long_the_log_is_it_refuses_the_same(
    log: list[Deployment | None], widths: dict[str, int], served: tuple[str, ...]
) -> None:
    early, late, newest = lived_through(log, widths, served)
    assert late.refuses(newest) == early.refuses(newest)
    assert late.refuses(newest) or late.serves == early.serves


@given(st.lists(st.tuples(commands, st.booleans()), min_size=1, max_size=MOST_PAST), all_widths, served)
def test_who_hears_of_several_commands_at_once_ends_where_the_others_are(
    log: list[tuple[Deployment | None, bool]], widths: dict[str, int], served: tuple[str, ...]
) -> None:
    shelf, orders = Shelf(served), Orders()
    shelf.meanings |= {each: each for each in VERSIONS}
    shelf.widths = widths
    early, busy = (Simulated(shelf, ["iris"] if served else []) for _ in range(2))
    for offset, (wanted, works) in enumerate(log):
        newest = orders.accept(offset, wanted)
        early.hear(newest)
        busy.hear(newest, works=works)
    busy.work()
    assert (busy.serves, busy.refuses(newest)) == (early.serves, early.refuses(newest))
