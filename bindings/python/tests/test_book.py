"""Programs in the book work as they stand."""

import pathlib
import re

import pytest

DOCS = pathlib.Path(__file__).parents[3] / "docs"
PROGRAMS = [
    pytest.param(program, id=f"{page.stem}-{place}")
    for page in sorted(DOCS.rglob("*.md"))
    for place, program in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.M | re.S))
]


def test_they_were_found():
    assert len(PROGRAMS) >= 6


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_runs(program):
    exec(compile(program, "book", "exec"), {"__name__": "book"})
