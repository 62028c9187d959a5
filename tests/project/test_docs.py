"""The pages for users: what they say of commands, settings, links and messages is true of the code."""

import ast
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from penstock.consumer.settings import ServiceSettings
from penstock.core.configuration import fields_of, load
from penstock.core.setting_sources import CONFIG_VARIABLE, PREFIX, variable_of
from penstock.schemas.errors import ConfigurationError
from tests.support.command import penstock
from tests.support.pages import ROOT, Block, Page, page_at, pages
from tools import command_page, configuration_page, reference

PAGES = pages()
SETTINGS = dict(fields_of(ServiceSettings))
ANYWHERE = {"worker.group_id": "group", "models.repository": "models"}  # what is required, set to anything
PACKAGES = ("api", "broker", "cli", "consumer", "core", "producer", "schemas", "transport")
# Variables that are no settings of a worker: of the tests and the benchmark, and a mistake that is shown.
OTHER_VARIABLES = {CONFIG_VARIABLE, "PENSTOCK_WORKER__GROUPID", "PENSTOCK_SERVICE_HOST"}
SECTIONS = "|".join(ServiceSettings.model_fields)


def each_page(test: Any) -> Any:
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)(test)


@pytest.mark.parametrize("name", reference.PAGES)
def test_page_made_from_the_code_is_up_to_date(name: str) -> None:
    written = (reference.DOCS / name).read_text()
    assert written == reference.PAGES[name](), f"docs/{name} is out of date; `make reference` writes it anew"


def test_page_of_commands_shows_what_help_prints() -> None:
    assert penstock("worker", "--help").out.rstrip() in (reference.DOCS / "cli.md").read_text()


def test_example_of_the_settings_loads(tmp_path: Path) -> None:
    file = tmp_path / "penstock.toml"
    file.write_text(configuration_page.EXAMPLE)
    assert load(ServiceSettings, file=file, environ={}).worker.processes == 2


def test_file_of_every_setting_says_the_defaults(tmp_path: Path) -> None:
    (block,) = [each for each in Page("docs/configuration.md").blocks("toml") if "as a file" in each.section]
    file = tmp_path / "penstock.toml"
    file.write_text(block.text)
    assert load(ServiceSettings, file=file, environ={}, overrides=ANYWHERE) == load(
        ServiceSettings, environ={}, overrides=ANYWHERE
    )
    shown = re.findall(r"^(?:# )?(\w+) = ", block.text, re.MULTILINE)
    assert shown == [key.partition(".")[2] for key in SETTINGS]


@pytest.mark.parametrize("key", [key for key, rule in configuration_page.RULES.items() if rule.broken_by])
def test_rule_that_the_page_tells_is_held(key: str) -> None:
    with pytest.raises(ConfigurationError, match=key.partition(".")[2]):
        load(ServiceSettings, environ={}, overrides={**ANYWHERE, **configuration_page.RULES[key].broken_by})
    assert key in SETTINGS


def command_lines(block: Block) -> list[str]:
    """The calls of `penstock` in a shell block, without what stands before and after them on their lines."""
    joined = block.text.replace("\\\n", " ")
    calls = re.findall(r"(?:^|[;&|(]\s*|\bsudo |\w=\S+ )\s*(?:\$ )?(?:\S*/)?(penstock(?: [^#;&|)\n]*)?)", joined, re.M)
    return [call.strip() for call in calls]


def parse(words: list[str]) -> None:
    """Hand a command line to the command it names, as far as the reading of its options; raises what is wrong."""
    command, name = command_page.root(), words.pop(0)
    while words and words[0] in (known := command_page.subcommands(command)):
        name, command = words[0], known[words.pop(0)]
    options = {option for each in command.params for option in each.opts} | {"--help"}
    if "--help" in words or not words:
        return
    if command_page.subcommands(command):
        if words[0] not in options:
            raise LookupError(f"no such command: {words[0]}")
    else:
        command.make_context(name, words)


def calls(page: Page) -> list[tuple[str, str]]:
    """Every call of `penstock` on a page, in blocks and between backticks, with where it stands."""
    kinds = ("text",) if page.name == "docs/cli.md" else ("sh", "bash", "shell", "console")
    found = [(f"{page.name}:{block.line}", line) for block in page.blocks(*kinds) for line in command_lines(block)]
    return found + [(page.name, code) for code in page.code() if re.match(r"penstock( |$)", code)]


@each_page
def test_every_command_line_can_be_typed(page: Page) -> None:
    faults = []
    for place, line in calls(page):
        try:
            parse(shlex.split(line))
        except Exception as error:  # what the library raises for wrong usage has no public name
            faults.append(f"{place}: {line}: {error or type(error).__name__}")
    assert faults == []


def test_wrong_command_line_is_found() -> None:
    text = "ls; penstock no-such-command\npenstock worker --no-such-option 1 # why\nA=b penstock top --interval no\n"
    lines = command_lines(Block("sh", text, "", 1))
    wrong = ["penstock no-such-command", "penstock worker --no-such-option 1", "penstock top --interval no"]
    assert lines == wrong
    for line in lines:
        with pytest.raises(Exception, match=r"no|number"):
            parse(shlex.split(line))


@each_page
def test_every_target_of_make_is_there(page: Page) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = "\n".join(block.text for block in page.blocks("sh")) + "\n" + "\n".join(page.code())
    assert set(re.findall(r"^make ([a-z-]+)", called, re.MULTILINE)) <= targets


@each_page
def test_every_setting_and_variable_that_is_named_exists(page: Page) -> None:
    settings = {code for code in page.code() if re.fullmatch(rf"({SECTIONS})\.[a-z_]+", code)}
    settings = {name for name in settings if not name.endswith((".py", ".md"))}
    assert settings <= set(SETTINGS)
    variables = set(re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]\b", page.text)) - OTHER_VARIABLES
    known = {variable_of(key) for key in SETTINGS}
    assert {name for name in variables if not name.startswith(f"{PREFIX}TEST_")} <= known


@each_page
def test_default_that_is_told_beside_a_setting_is_the_default(page: Page) -> None:
    units = {"s": 1, "MiB": 2**20, "": 1}
    told = re.findall(rf"`((?:{SECTIONS})\.[a-z_]+)` \(([\d.]+) ?(s|MiB|)\)", page.text)
    for key, number, unit in told:
        assert float(number) * units[unit] == SETTINGS[key].default, f"{key} in {page.name}"


@each_page
def test_every_settings_file_that_is_shown_can_be_loaded(page: Page) -> None:
    for block in page.blocks("toml"):
        for section, table in tomllib.loads(block.text).items():
            unknown = {f"{section}.{name}" for name in table} - set(SETTINGS)
            assert unknown == set(), f"{page.name}:{block.line}"


@each_page
def test_every_python_block_is_python(page: Page) -> None:
    for block in page.blocks("python", "py"):
        compile(
            block.text, f"{page.name}:{block.line}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
        )


@each_page
def test_every_link_inside_the_repository_leads_somewhere(page: Page) -> None:
    dead = []
    for link in page.links():
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.path.parent / path).resolve() if path else page.path
        if not target.exists():
            dead.append(link)
        elif anchor and target.suffix == ".md":
            dead += [link] if anchor not in page_at(target).anchors else []
    assert dead == []


@each_page
def test_every_message_that_is_quoted_is_one_of_ours(page: Page) -> None:
    source = "\n".join(path.read_text() for folder in PACKAGES for path in (ROOT / folder).rglob("*.py"))
    source = re.sub(r'"\s*\n\s*f?"', "", source)  # a message may take two lines
    quoted = [code[1:-1] for code in page.code() if re.fullmatch(r'"[^"]{8,}"', code)]
    assert [text for text in quoted if text not in source] == []


def test_picture_is_whole_and_stands_alone() -> None:
    path = ROOT / "docs" / "penstock.svg"
    text = path.read_text()
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{space}svg"
    assert root.get("viewBox")
    assert root.findtext(f"{space}title")
    assert root.findtext(f"{space}desc")
    assert not re.search(r"<(script|image|foreignObject|use)\b|@import|url\((?!#)|\shref=", text)
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {space.strip("{}")}
