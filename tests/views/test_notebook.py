from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.rows import leaderboard_rows
from keras_sweep.views.notebook import leaderboard_html, trial_html
from tests.helpers.results import ACCURACY, dense_sweep, ranking, result


def test_a_row_a_trial_and_the_notes_of_the_leaderboard():
    rows = leaderboard_rows(dense_sweep(), ACCURACY)
    html = leaderboard_html(ranking(rows, rows[:10]), title="dense")
    assert html.count("<tr") == 11 and html.count('class="best"') == 1
    assert "optimistic" in html and "<caption>dense</caption>" in html
    assert "No trials." in leaderboard_html(ranking([]))


def test_text_of_a_sweep_is_only_text():
    params = {"optimizer": "<script>alert(1)</script>", "learning_rate": 0.1, "epochs": 2}
    marked = result(1, 0.5, params=params, state=TrialState.PRUNED, reason="</td><img src=x onerror=y>")
    rows = leaderboard_rows([result(0, 0.8), marked], ACCURACY)
    for html in (leaderboard_html(ranking(rows), title="<b>"), trial_html(marked, ACCURACY)):
        assert "<script" not in html and "<img" not in html and "&lt;script&gt;" in html


def test_a_trial_has_its_curve():
    assert "<td>▁▂▇</td>" in trial_html(result(0, 0.8, curve={"val_accuracy": (0.4, 0.6, 0.8)}), ACCURACY)
    assert "<td>curve</td>" not in trial_html(result(0, 0.8, epochs=1), ACCURACY)
