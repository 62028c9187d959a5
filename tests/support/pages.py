"""Pages of documentation, taken apart: what a test compares with the code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
_PARSER = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        kind: the word after the fence, such as `json`.
        text: what it holds.
        section: the heading that it stands under.
        line: where its fence is, counted from 1.
    """

    kind: str
    text: str
    section: str
    line: int


@dataclass(frozen=True)
class Page:
    """One page in Markdown, by its path from the repository's root."""

    name: str

    @property
    def path(self) -> Path:
        return ROOT / self.name

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def _tokens(self) -> list[Token]:
        return _PARSER.parse(self.text)

    def blocks(self, *kinds: str) -> list[Block]:
        """The fenced blocks of these kinds, in order."""
        found, section = [], ""
        for before, token in zip([None, *self._tokens], self._tokens, strict=False):
            if before is not None and before.type == "heading_open":
                section = token.content
            if token.type == "fence" and token.map is not None and token.info in kinds:
                found.append(Block(token.info, token.content, section, token.map[0] + 1))
        return found

    def sections(self, level: int) -> dict[str, str]:
        """Heading -> text of each section of this level, up to the next heading of it or of a higher one."""
        mark = re.compile(rf"^(#{{1,{level}}}) (.+)$", re.MULTILINE)
        heads = [head for head in mark.finditer(self._without_blocks) if len(head[1]) <= level]
        ends = [head.start() for head in heads[1:]] + [len(self.text)]
        return {
            head[2]: self.text[head.end() : end] for head, end in zip(heads, ends, strict=True) if len(head[1]) == level
        }

    @cached_property
    def _without_blocks(self) -> str:
        """The text with the fenced blocks blanked out, every character at its place."""
        return re.sub(r"^```.*?^```", lambda block: re.sub(r"[^\n]", " ", block[0]), self.text, flags=re.M | re.S)

    def table(self, section: str) -> list[list[str]]:
        """The cells of the first table of a section, its heading left out, in Markdown."""
        tokens = iter(self._tokens)
        for before in tokens:
            if before.type == "heading_open" and next(tokens).content == section:
                break
        rows: list[list[str]] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline" and rows:
                rows[-1].append(token.content)
            elif token.type == "table_close":
                break
        return rows[1:]

    @cached_property
    def anchors(self) -> set[str]:
        """What a link may end in after #, as GitHub makes it of the headings."""
        heads = [token.content for before, token in self._pairs if before.type == "heading_open"]
        return {re.sub(r"[^\w\- ]", "", head.lower().replace("`", "")).replace(" ", "-") for head in heads}

    @property
    def _pairs(self) -> list[tuple[Token, Token]]:
        return list(zip(self._tokens, self._tokens[1:], strict=False))

    def links(self) -> Iterator[str]:
        """Where links and pictures lead."""
        for token in self._tokens:
            for child in token.children or ():
                target = child.attrGet("href") or child.attrGet("src")
                if target:
                    yield str(target)

    def code(self) -> Iterator[str]:
        """What stands between backticks, outside of blocks."""
        for token in self._tokens:
            for child in token.children or ():
                if child.type == "code_inline":
                    yield child.content


@cache
def page_at(path: Path) -> Page:
    """The page at a path, parsed once however many links lead to it."""
    return Page(path.relative_to(ROOT).as_posix())


def pages() -> list[Page]:
    """The pages that users read."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [page_at(path) for path in found]
