//! Which inputs a sweep over all of them compares.

/// The number of inputs that a sweep compares at a time.
pub const CHUNK: u64 = 1 << 24;

/// The first inputs of the chunks of all 2^32 that a sweep compares. With `HARD_SIGMOID_SLICE=3/16` these are the third of every 16
/// chunks, so that each slice has all magnitudes; without it, all chunks.
pub fn chunks() -> Vec<u64> {
    let text = std::env::var("HARD_SIGMOID_SLICE").ok();
    let chunks = chunks_of(text.as_deref());
    if let Some(text) = text {
        println!(
            "slice {text}: {} of {} chunks of 2^24 inputs",
            chunks.len(),
            (1 << 32) / CHUNK
        );
    }
    chunks
}

fn chunks_of(slice: Option<&str>) -> Vec<u64> {
    let all = (1 << 32) / CHUNK;
    let (which, count) = slice.map_or((1, 1), |slice| {
        let numbers = slice
            .split_once('/')
            .and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        let valid = numbers.filter(|&(which, count)| (1..=count).contains(&which) && count <= all);
        valid.unwrap_or_else(|| {
            panic!("HARD_SIGMOID_SLICE={slice}: it must be k/n, with k from 1 to n and n at most {all}")
        })
    });
    let chunks: Vec<u64> = (which - 1..all).step_by(count as usize).collect();
    // As many as there are numbers below `all` that leave this remainder.
    assert_eq!(
        chunks.len() as u64,
        (all + count - which) / count,
        "the sweep has shrunk"
    );
    chunks.into_iter().map(|chunk| chunk * CHUNK).collect()
}

#[test]
fn slices_are_all_inputs() {
    for count in [1, 3, 16, 256] {
        let slices = (1..=count).map(|which| chunks_of(Some(&format!("{which}/{count}"))));
        let mut together: Vec<u64> = slices.flatten().collect();
        together.sort_unstable();
        assert_eq!(together, chunks_of(None));
    }
    for wrong in ["", "3", "0/16", "17/16", "1/257", "-1/3", "a/b"] {
        std::panic::catch_unwind(|| chunks_of(Some(wrong))).unwrap_err();
    }
}
