"""Texts to be copied: one block, or several in tabs of which one shows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from nicegui.element import Element


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """One text; `key` names its tab, `about` says above it what it is for."""

    key: str
    label: str
    text: str
    about: str = ""


class CodeBlock(Element, component="code_block.js"):
    """One text with a button that copies it; `label` is what readers of the screen hear."""

    def __init__(self, text: str, *, label: str) -> None:
        super().__init__()
        self.props["snippets"] = [asdict(Snippet(key="text", label=label, text=text))]

    def show(self, text: str) -> None:
        """Show another text."""
        (snippet,) = self.props["snippets"]
        self.props["snippets"] = [{**snippet, "text": text}]


class CodeTabs(Element, component="code_block.js"):
    """Several texts, a tab each; which one shows is the browser's to remember."""

    def __init__(self, snippets: Sequence[Snippet], *, label: str) -> None:
        super().__init__()
        self.props["label"] = label
        self.show(snippets)

    def show(self, snippets: Sequence[Snippet]) -> None:
        """Show these instead; the tab stays."""
        self.props["snippets"] = [asdict(snippet) for snippet in snippets]
