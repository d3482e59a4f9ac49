"""Every file that the documentation names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *(ROOT / "docs").rglob("*.md")]
FOLDERS = "benchmarks|components|docs|examples|integrations|local_supabase|pages|sdk|sdk-js|services|supabase|tests"
PATH = re.compile(rf"`((?:{FOLDERS})/[\w./-]+)")
NOT_YET = re.compile("deployments|livewatch.env")
"""Files that the reader of a guide makes."""
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_path_and_link_leads_to_a_file(document: Path) -> None:
    text = document.read_text()
    linked = [path for path in LINK.findall(text) if not (document.parent / path).exists()]
    named = [path for path in PATH.findall(text) if not ((ROOT / path).exists() or (document.parent / path).exists())]
    missing = [path for path in linked + named if not NOT_YET.search(path)]
    assert missing == []


def test_the_documents_are_found() -> None:
    assert len(DOCUMENTS) > 20
