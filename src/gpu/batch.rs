/// To come.
pub struct Batch;
