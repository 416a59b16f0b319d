from __future__ import annotations

import json
import shutil

from tests.helpers.command import sweep


def test_a_model_whose_scores_come_out_exits_with_0_and_an_altered_card_with_1(finished, tmp_path):
    for name in ("best.keras", "card.json"):
        shutil.copy(finished / "sweeps" / "digits" / name, tmp_path / name)
    ended = sweep("verify", "best.keras", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1] == "the scores of the card come out on 288 validation rows"
    card = json.loads((tmp_path / "card.json").read_text())
    card["validation"]["val_loss"] += 0.001
    (tmp_path / "card.json").write_text(json.dumps(card))
    altered = sweep("verify", "best.keras", cwd=tmp_path)
    assert altered.code == 1
    assert altered.out.splitlines()[-1] == "on 288 validation rows: val_loss differs"


def test_what_is_no_model_is_refused(tmp_path):
    assert sweep("verify", "no.keras", cwd=tmp_path).code == 2
    (tmp_path / "x.keras").write_bytes(b"no archive")
    assert "there is no card" in sweep("verify", "x.keras", cwd=tmp_path).err
    (tmp_path / "x.card.json").write_text("{" * 100_000)
    ended = sweep("verify", "x.keras", cwd=tmp_path)
    assert (ended.code, "Traceback" in ended.err) == (1, False)
    assert "is no card of a model" in ended.err
