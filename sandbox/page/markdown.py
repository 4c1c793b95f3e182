"""Markdown as safe HTML: post-mortems, tickets, `markdown` blocks. HTML in it stays text."""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup, escape

from sandbox.page.mrkdwn import linked, may_be_followed

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_BOX = re.compile(r"\[([ xX])\] ")


def render(source: str) -> Markup:
    """A Markdown document as HTML. A front matter block is left out."""
    return Markup(_PARSER.render(_FRONT_MATTER.sub("", source.replace("\r\n", "\n"))))


class _Renderer(RendererHTML):
    """Links open in a new tab, addresses in a text are links, and code is a plain `<pre>`."""

    def text(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        in_link = sum(
            token.nesting for token in tokens[:idx] if token.type in ("link_open", "link_close")
        )
        content = tokens[idx].content
        return str(escape(content) if in_link else linked(content))

    def link_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        tokens[idx].attrSet("target", "_blank")
        tokens[idx].attrSet("rel", "noopener noreferrer")
        return self.renderToken(tokens, idx, options, env)

    def fence(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        return str(Markup("<pre>{}</pre>\n").format(tokens[idx].content.removesuffix("\n")))

    code_block = fence


def _checkboxes(state: StateCore) -> None:
    """Show `[ ] ` and `[x] ` at the beginning of a list item as boxes."""
    for item, paragraph, line in zip(
        state.tokens, state.tokens[1:], state.tokens[2:], strict=False
    ):
        box = _BOX.match(line.content)
        if (
            not box
            or not line.children
            or (item.type, paragraph.type) != ("list_item_open", "paragraph_open")
        ):
            continue
        line.children[0].content = line.children[0].content.removeprefix(box[0])
        mark = '<span class="box on"></span> ' if box[1] in "xX" else '<span class="box"></span> '
        line.children.insert(0, Token("html_inline", "", 0, content=mark))


_PARSER = (
    MarkdownIt("commonmark", {"html": False, "xhtmlOut": False}, renderer_cls=_Renderer)
    .enable("table")
    .disable("image")
)
_PARSER.validateLink = lambda url: may_be_followed(url)
_PARSER.core.ruler.after("inline", "checkboxes", _checkboxes)
