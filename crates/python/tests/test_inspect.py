"""`inspect` says the same as the command."""

import dataclasses
import json
import os
import subprocess
from pathlib import Path

import pytest

from hard_sigmoid import HardSigmoid, inspect

ROOT = Path(__file__).resolve().parents[3]
MODELS = ROOT / "crates/inspect/tests/models"
COMMAND = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/hard-sigmoid"
FILES = [path.name for path in sorted(MODELS.iterdir()) if path.suffix in {".onnx", ".tflite", ".keras", ".h5", ".json"}]


def command(*arguments):
    return subprocess.run([COMMAND, "inspect", *arguments], cwd=MODELS, capture_output=True, text=True).stdout


def as_json(found):
    """What the command has as JSON."""

    def plain(value):
        if isinstance(value, HardSigmoid):
            return str(value)
        if isinstance(value, tuple):
            return [plain(one) for one in value]
        if dataclasses.is_dataclass(value):
            return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value) if one.name != "report"}
        return value

    return plain(found)


def test_there_are_models():
    assert len(FILES) > 25


@pytest.mark.parametrize("name", FILES)
def test_models(name):
    (expected,) = json.loads(command("--json", name))
    if "error" in expected:
        with pytest.raises(ValueError) as error:
            inspect(MODELS / name)
        assert str(error.value) == expected["error"]
        return
    text = command(name)
    for given in (MODELS / name, str(MODELS / name), (MODELS / name).read_bytes(), bytearray((MODELS / name).read_bytes())):
        if name == "onnx_external.onnx" and isinstance(given, bytes | bytearray):
            continue
        found = inspect(given)
        assert {"file": name, **as_json(found)} == expected
        assert f"{name}: {found}\n\n" == text and found.report == str(found)


def test_bytes_have_nothing_beside_them():
    found = inspect((MODELS / "onnx_external.onnx").read_bytes())
    assert found.activations == ()
    assert "onnx_external.bin, which can't be read (bytes have no place: give the path of the model)" in found.note


def test_what_is_no_model_is_refused(tmp_path):
    for given, sentence in [
        (b"", "it is empty"),
        (b"{}", "no Keras model"),
        (MODELS / "make.py", "not an ONNX, Keras"),
        (tmp_path, "a folder: give the model's file"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            inspect(given)
    with pytest.raises(FileNotFoundError, match="missing.onnx: "):
        inspect(tmp_path / "missing.onnx")
    with pytest.raises(TypeError):
        inspect(3)
