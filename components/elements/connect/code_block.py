"""Code blocks with a copy button: a single one, or several in tabs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from nicegui.element import Element

from components.elements import COPYING_JS


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """One block of code; `key` identifies its tab, `about` describes it above the code."""

    key: str
    label: str
    text: str
    about: str = ""


class CodeBlock(Element, component="code_block.js", dependencies=[COPYING_JS]):
    """One block with a copy button; `label` is its accessible name."""

    def __init__(self, text: str, *, label: str) -> None:
        super().__init__()
        self.props["snippets"] = [asdict(Snippet(key="text", label=label, text=text))]

    def show(self, text: str) -> None:
        """Replace the text."""
        (snippet,) = self.props["snippets"]
        self.props["snippets"] = [{**snippet, "text": text}]


class CodeTabs(Element, component="code_block.js"):
    """Several blocks in tabs; the browser remembers the selected tab."""

    def __init__(self, snippets: Sequence[Snippet], *, label: str) -> None:
        super().__init__()
        self.props["label"] = label
        self.show(snippets)

    def show(self, snippets: Sequence[Snippet]) -> None:
        """Replace the blocks and keep the selected tab."""
        self.props["snippets"] = [asdict(snippet) for snippet in snippets]
