"""Every message ever published stays readable, and today's code writes exactly what the golden files say.

`python -m tests.contract.golden` writes the golden file of a new message; it refuses to change one that is there.
"""

import json
from pathlib import Path

import pytest

from broadcast_contracts import ALL_MESSAGES, PUBLIC_EVENTS, Message, decode, encode
from tests.contract.golden import GOLDEN, SAMPLES


@pytest.mark.parametrize("kind", ALL_MESSAGES, ids=lambda kind: kind.type)
def test_every_message_has_a_sample_and_a_golden_file(kind: type[Message]) -> None:
    assert any(isinstance(sample, kind) for sample in SAMPLES)
    assert (GOLDEN / f"{kind.type}.json").exists()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.type)
def test_a_message_is_written_as_its_golden_file_says(sample: Message) -> None:
    golden = json.loads((GOLDEN / f"{sample.type}.json").read_text())
    assert json.loads(encode(sample)) == golden


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_a_golden_file_is_still_read(path: Path) -> None:
    kind = next(kind for kind in ALL_MESSAGES if kind.type == path.stem)
    assert decode(kind, path.read_bytes()) == next(sample for sample in SAMPLES if sample.type == path.stem)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_a_field_that_a_newer_writer_added_is_ignored(path: Path) -> None:
    kind = next(kind for kind in ALL_MESSAGES if kind.type == path.stem)
    newer = {**json.loads(path.read_text()), "added_later": {"anything": 1}}
    assert decode(kind, json.dumps(newer).encode()) == decode(kind, path.read_bytes())


def test_types_are_versioned_and_unique() -> None:
    types = [kind.type for kind in ALL_MESSAGES]
    assert len(set(types)) == len(types)
    assert all(kind.type.rsplit(".", 1)[1] == "v1" for kind in ALL_MESSAGES)
    assert len({kind.name for kind in PUBLIC_EVENTS}) == len(PUBLIC_EVENTS)
