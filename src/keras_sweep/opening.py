"""Opens the record of a sweep that is to run: a new one, or the one that is there if it is of the same sweep."""

from __future__ import annotations

from keras_sweep.card import versions
from keras_sweep.errors import ChangedSweep
from keras_sweep.record.atomic import write_text
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.canonical import canonical, differences
from keras_sweep.space.sweep_spec import SweepSpec


def open_study(folder: SweepFolder, spec: SweepSpec, fingerprint: str) -> StudyFile:
    """The sweep's record, ready to be written. The caller holds the lock.

    Raises:
        ChangedSweep: the one there was run with another space, data or seed.
        RecordError: it is damaged, or the disk fails.
    """
    said: dict[str, object] = {"spec": canonical(spec), "fingerprint": fingerprint}
    if folder.exists():
        study = StudyFile.open(folder)
        try:
            _check_same(spec.name, study.attributes, said)
        except BaseException:
            study.close()
            raise
    else:
        study = StudyFile.create(folder, spec, {**said, "versions": versions(), "origin": str(spec.folder.resolve())})
    if not folder.space.exists() or folder.space.read_bytes() != spec.text.encode():
        write_text(folder.space, spec.text)
    study.set_attributes({"trials": spec.search.trials, "engine": f"{spec.search.engine}/{spec.search.sampler}"})
    return study


def _check_same(name: str, old: dict[str, object], new: dict[str, object]) -> None:
    old_spec, new_spec = old.get("spec"), new["spec"]
    assert isinstance(new_spec, dict)
    changes = differences(old_spec if isinstance(old_spec, dict) else {}, new_spec)
    if old.get("fingerprint") != new["fingerprint"]:
        changes.append("the data: its rows are not those that the sweep was begun with")
    if changes:
        raise ChangedSweep(
            f"the sweep {name!r} was begun with something else: " + "; ".join(changes),
            hint="Go on with another name (`--name`), or move the old one aside (`--fresh`)",
        )
