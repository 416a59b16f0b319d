"""A comparison as JSON, and back."""

from __future__ import annotations

import json

from keras_sweep.trial.comparison import PAIRED, Behind, Comparison, Estimate, MoreTrials


def test_a_comparison_comes_back_from_json_as_it_was():
    estimate = Estimate(0.8546, 0.8482, 0.8608, 0.8573, "bootstrap")
    behind = {36: Behind(0.0, None, True), 7: Behind(0.0007, 0.0015, True), 9: Behind(0.02, 0.002, False)}
    for one in (Comparison(), Comparison(36, estimate, behind, PAIRED, 12_000, MoreTrials(32, 0.001, 0.004))):
        assert Comparison.from_json(json.loads(json.dumps(one.to_json()))) == one
