"""What happened when: told, measured and drawn."""

from pathlib import Path

from tests.chaos.timeline import Sample, TimeLine
from tests.support.waiting import until


async def test_marks_are_said_and_samples_taken_while_it_lasts() -> None:
    said: list[str] = []
    async with TimeLine(said.append, lambda: (10, 7, 1000)) as line:
        line.mark("a kill")
        await until(lambda: line.samples)
    assert "a kill" in said[0]
    assert line.samples[0].lag == 3


def test_memory_is_compared_with_what_it_was_before_the_first_mark() -> None:
    line = TimeLine(lambda _: None, lambda: (0, 0, 0))
    line.samples = [Sample(at, 0, 0, memory) for at, memory in ((0.0, 100), (1.0, 110), (3.0, 900), (4.0, 120))]
    line.marks = [(2.0, "a flood")]
    assert line.most_memory() == (110, 900)


def test_a_picture_shows_a_run(tmp_path: Path) -> None:
    line = TimeLine(lambda _: None, lambda: (0, 0, 0))
    line.samples = [Sample(float(at), at * 10, at * 9, 2**20) for at in range(20)]
    line.marks = [(5.0, "a kill")]
    line.draw(tmp_path / "pictures" / "1.png", "1 kill")
    assert (tmp_path / "pictures" / "1.png").read_bytes()[:4] == b"\x89PNG"
