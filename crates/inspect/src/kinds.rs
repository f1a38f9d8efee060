//! Files that aren't read: what they are, and the way on.

use std::path::Path;

/// What isn't read by its path.
pub fn by_path(path: &Path) -> Option<&'static str> {
    let has = |name: &str| path.join(name).exists();
    if path.ends_with("saved_model.pb") || has("saved_model.pb") || has("saved_model.pbtxt") {
        Some(SAVED_MODEL)
    } else if path.is_dir() {
        Some("a folder: give the model's file")
    } else {
        None
    }
}

/// Why an archive that has these members isn't read; None if it may be one of Keras.
pub fn archive(members: &[String]) -> Option<&'static str> {
    let ends = |end: &str| {
        members
            .iter()
            .any(|name| name == end || name.ends_with(&format!("/{end}")))
    };
    if ends("config.json") {
        None
    } else if ends("archive_format") || ends("serialized_exported_program.json") || ends("models/model.json") {
        Some(EXPORTED)
    } else if ends("data.pkl") || ends("constants.pkl") {
        Some(CHECKPOINT)
    } else if members.iter().all(|name| name.ends_with(".npy")) {
        Some("an archive of NumPy's arrays, which has no operations: inspect the model")
    } else {
        None
    }
}

/// What a file is that isn't read, by its first bytes and its length; None if it may be one of ONNX.
pub fn other(bytes: &[u8], file: u64) -> Option<&'static str> {
    let is_tensors = || {
        let length = bytes.first_chunk().map(|length| u64::from_le_bytes(*length));
        bytes.get(8) == Some(&b'{') && length.is_some_and(|length| length <= file)
    };
    if matches!(bytes, [0x80, 2..=5, ..]) {
        // Python's pickle.
        Some(CHECKPOINT)
    } else if bytes.starts_with(b"\x93NUMPY") || bytes.starts_with(b"GGUF") || is_tensors() {
        Some("a file of tensors, which has no operations: inspect the model")
    } else {
        None
    }
}

const SAVED_MODEL: &str = "a SavedModel of TensorFlow, which isn't read: after pip install tf2onnx, python -m tf2onnx.convert --opset 18 --saved-model FOLDER --output MODEL.onnx writes a model that is";

const EXPORTED: &str = "a program of torch.export, which isn't read: torch.onnx.export(torch.export.load(\"MODEL.pt2\"), f=\"MODEL.onnx\") writes a model that is";

const CHECKPOINT: &str = "a pickle, as of torch.save, or TorchScript, whose operations aren't read: build the model in Python, and torch.onnx.export(model.eval(), (x,), \"MODEL.onnx\") writes one that is";
