"""Every test that docs/security.md names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text()


def test_every_test_that_is_named_exists() -> None:
    files = [*(ROOT / "tests").rglob("*.py")]
    written = {name for file in files for name in re.findall(r"def (\w+)\(", file.read_text())}
    named = set(re.findall(r"`((?:test|assert)_\w+)`", PAGE))
    assert len(named) > 20
    assert named - written == set()
    assert [path for path in re.findall(r"`(tests/[\w/.]+)`", PAGE) if not (ROOT / path).exists()] == []
