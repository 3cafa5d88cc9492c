"""Estimators for tables in files and pickles: what they know of columns of all types."""

import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import sknn

pd = pytest.importorskip("pandas")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 60
PLACES = np.arange(N) % 4
TIMES = pd.Timestamp("2001-02-03 04:05:06.789012") + pd.to_timedelta(PLACES * 10**6, unit="s")
CATEGORIES: dict[str, Any] = {
    "str": pd.Series(np.array(["a", "é", "", None], object)[PLACES], dtype="str"),
    "string": pd.Series(np.array(["a", "é", "", None], object)[PLACES], dtype="string"),
    "object": pd.Series(np.array(["a", "é", "", None], object)[PLACES], dtype=object),
    "ordered": pd.Categorical(np.array(list("bcad"))[PLACES], list("dcba"), ordered=True),
    "int": pd.Series(2**62 + PLACES).astype("category"),
    "uint": pd.Series(np.uint64(2**63) + PLACES.astype(np.uint64)).astype("category"),
    "float": pd.Series(PLACES / 3).astype("category"),
    "bool": pd.Series(PLACES > 1).astype("category"),
    "date": pd.Series(TIMES).astype("int64").astype("category"),
    "empty": pd.Series(np.full(N, None, object)).astype("category"),
}
NUMBERS: dict[str, Any] = {
    "int": PLACES,
    "Int64": pd.Series(PLACES, dtype="Int64").mask(PLACES == 1),
    "float32": (PLACES / 3).astype(np.float32),
    "boolean": pd.Series(PLACES > 1, dtype="boolean"),
    "dates": TIMES,
    "zoned": pd.Series(TIMES).dt.tz_localize("Europe/Rome"),
    "durations": pd.to_timedelta(PLACES, unit="h"),
    "empty": np.full(N, np.nan),
}
TABLES = {"categories": pd.DataFrame(CATEGORIES), "numbers": pd.DataFrame(NUMBERS)}
LIBRARIES = ("pandas", "polars", "pyarrow", "narwhals")


def fitted(kind: str) -> tuple[Any, Any]:
    model = sknn.TabularRegressor(
        loss="quantile",
        quantiles=(0.1, 0.9),
        hidden_layer_sizes=(4,),
        n_estimators=2,
        max_iter=2,
        random_state=0,
    )
    return model.fit(TABLES[kind], PLACES + np.sin(np.arange(N))), TABLES[kind][::-1]


@pytest.mark.parametrize("kind", TABLES)
def test_files_keep_what_columns_are(kind: str, tmp_path: Path) -> None:
    model, rows = fitted(kind)
    sknn.save(model, tmp_path / "model.sknn")
    loaded = sknn.load(tmp_path / "model.sknn")
    assert_array_equal(loaded.predict(rows), model.predict(rows))
    assert_array_equal(loaded.oof_predictions_, model.oof_predictions_)
    for found, expected in zip(loaded._format.columns, model._format.columns, strict=True):
        assert type(found.levels) is type(expected.levels)
        assert [type(each) for each in found.levels] == [type(each) for each in expected.levels]
        assert_array_equal(found.levels, expected.levels)
        assert found._replace(levels=()) == expected._replace(levels=())
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(rows[rows.columns[::-1]])


@pytest.mark.parametrize("kind", TABLES)
def test_pickles_name_no_library_of_tables(kind: str) -> None:
    model, rows = fitted(kind)
    pickled = pickle.dumps(model)
    texts = [text for _, text, _ in pickletools.genops(pickled) if isinstance(text, str)]
    assert any(text.startswith("sknn.") for text in texts)
    assert not [text for text in texts if text.split(".")[0] in LIBRARIES]
    assert_array_equal(pickle.loads(pickled).predict(rows), model.predict(rows))
