"""The winner of a finished sweep on the sealed test rows."""

from __future__ import annotations

from keras_sweep.errors import DataError
from keras_sweep.process.backend import choose_backend
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.finish_winner import look_at_test
from keras_sweep.sweep.recorded import backend_of, recorded_data, recorded_spec, trial_of
from keras_sweep.sweep.refit import final_weights
from keras_sweep.sweep.winner import TestScores, trained_model
from keras_sweep.trial.events import Listener


def evaluate_winner(
    folder: SweepFolder,
    emit: Listener,
    *,
    spec: SweepSpec | None = None,
    trust: bool = False,
    backend: str | None = None,
) -> TestScores:
    """One more look at the test rows, counted before they are scored; the listener hears it as `TestEvaluated`.

    `spec` stands for the recorded one where the user has just given it.

    Raises:
        DataError: there are no test rows, or they are not those of the sweep.
        UsageError: the record names code and is not trusted, or the backend does not fit.
        SweepBusy: another process runs the sweep.
    """
    with SweepLock(folder), StudyFile.open(folder) as study:
        spec = spec or recorded_spec(study, trust=trust, emit=emit)
        best = trial_of(study, spec.objective, None)
        choose_backend(backend, "--backend", default=backend_of(best))
        spec, data = recorded_data(study, spec, emit)
        weights, own, _ = final_weights(study, spec, data, best, emit)
        model = trained_model(spec, best, weights, own)
        scores = look_at_test(spec, study, best, model, data, own, emit)
    if scores is None:
        raise DataError(f"{data.name} has no test rows", hint="Give `split: {test: 0.2}` in the space file")
    return scores
