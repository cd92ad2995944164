from __future__ import annotations

import json
import math

from qdynbench.record.schema import CellRecord, ReferenceRecord, Score


def test_a_score_that_is_not_defined_is_read_back() -> None:
    score = Score(metric="skill", step=5, value=math.nan, low=-math.inf, high=math.nan, unit="1")
    cell = CellRecord(key="k", task="t", solver="s", size=2, seed=0, track="", fingerprint="f", scores=[score])
    text = cell.model_dump_json()
    json.loads(text, parse_constant=lambda name: 1 / 0)  # plain JSON, without the constants that it does not have
    found = CellRecord.model_validate_json(text).scores[0]
    assert math.isnan(found.value)
    assert found.low == -math.inf


def test_what_a_cell_rests_on_survives() -> None:
    reference = ReferenceRecord(solver="ed", missing="predicted memory 70 GB, limit 2 GB")
    cell = CellRecord(key="k", task="t", solver="s", size=2, seed=0, track="", fingerprint="f", reference=reference)
    cell.notes.append("bond dimension reached its limit 64 at step 37")
    assert CellRecord.model_validate_json(cell.model_dump_json()) == cell
