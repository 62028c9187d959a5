"""Judging models, and loading them in a process of their own."""

from pathlib import Path

import pytest

from penstock.cli.doctor.model_loading import load_models
from penstock.cli.doctor.models import ModelsSeen, Tried, judge_models
from penstock.core.settings import ModelsSettings

CHECK = "penstock model verify"


def judged(seen: ModelsSeen, **settings: object):
    return judge_models(seen, ModelsSettings.model_validate({"repository": ".", **settings}), CHECK)


def test_model_that_runs_is_well():
    (found,) = judged(ModelsSeen(["cancer"], [Tried("cancer", "1", 0.21)]))
    assert (found.level, found.what) == ("ok", "cancer@1 loads and runs (0.2 s)")


def test_model_that_fails_is_named_once():
    seen = ModelsSeen(["a", "b"], [Tried("a", "1", None, "a@1: no such file\nand more"), Tried("b", "2", None, "boom")])
    found = judged(seen)
    assert [(each.level, each.what) for each in found] == [("fault", "a@1: no such file"), ("fault", "b@2: boom")]
    assert found[0].commands == (CHECK,)


def test_default_model_must_be_there():
    (_, found) = judged(ModelsSeen(["cancer"], [Tried("cancer", "1", 0.2)]), default="iris")
    assert (found.check, found.level) == ("default", "fault")
    assert found.what == "models.default: no model 'iris' in .; there is: cancer"


@pytest.fixture
def repository(tmp_path: Path):
    def make(**sources: str) -> ModelsSettings:
        for name, source in sources.items():
            folder = tmp_path / name / "1"
            folder.mkdir(parents=True)
            (folder / "model.py").write_text(source)
        return ModelsSettings(repository=tmp_path)

    return make


async def test_every_model_is_loaded_and_run(models: Path):
    settings = ModelsSettings(repository=models, default="doubler")
    found = judge_models(await load_models(settings, timeout_s=60), settings, CHECK)
    assert {each.level for each in found} == {"ok"}
    assert [each.what.split()[0] for each in found] == ["cancer@1", "doubler@1", "joiner@1", "scaler@1", "scaler@2"]


async def test_models_to_load_are_loaded_alone(models: Path):
    settings = ModelsSettings(repository=models, load=("scaler",))
    assert [tried.version for tried in (await load_models(settings, timeout_s=60)).tried] == ["1", "2"]


async def test_broken_model_does_not_hide_the_others(repository, models: Path):
    settings = repository(broken="raise ValueError('no good')", doubler=(models / "doubler/1/model.py").read_text())
    found = judge_models(await load_models(settings, timeout_s=60), settings, CHECK)
    assert [each.level for each in found] == ["fault", "ok"]
    assert "broken@1" in found[0].what


async def test_model_with_much_to_say_is_listened_to(repository):
    seen = await load_models(repository(talkative="raise ValueError('x' * 200_000)"), timeout_s=60)
    assert ([tried.name for tried in seen.tried], seen.died) == (["talkative"], "")


async def test_model_that_hangs_is_given_up_at_the_deadline(repository):
    settings = repository(hanging="import time\ntime.sleep(600)")
    seen = await load_models(settings, timeout_s=8)
    (found,) = judge_models(seen, settings, CHECK)
    assert (found.level, found.what) == ("warning", "hanging@1 was not loaded after 8 s")


async def test_model_that_kills_its_process_is_named(repository):
    settings = repository(deadly="import os\nos.abort()")
    (found,) = judge_models(await load_models(settings, timeout_s=60), settings, CHECK)
    assert (found.level, found.what) == ("fault", "the process that loaded deadly@1 was ended by SIGABRT")


async def test_model_that_prints_disturbs_nobody(repository, models: Path):
    settings = repository(loud="print('not JSON')\n" + (models / "doubler/1/model.py").read_text())
    assert [tried.error for tried in (await load_models(settings, timeout_s=60)).tried] == [""]


async def test_missing_repository_is_a_fault(tmp_path: Path):
    settings = ModelsSettings(repository=tmp_path / "nowhere")
    (found,) = judge_models(await load_models(settings, timeout_s=60), settings, CHECK)
    assert (found.check, found.level) == ("repository", "fault")
    assert "does not exist" in found.what
