//! Progress bars: on a terminal only, and on standard error.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// Shows how many of `len` bytes are done.
pub fn of_bytes(len: u64) -> ProgressBar {
    let template = "{bar:32} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
    styled(len, template)
}

/// Shows which share of `len` elements is computed.
pub fn of_elements(len: u64) -> ProgressBar {
    styled(len, "{bar:32} {percent}% computed, {eta} left")
}

/// Shows how many of `len` rows of a table are done.
pub fn of_rows(len: u64) -> ProgressBar {
    styled(len, "{bar:32} {pos} of {len} rows, {eta} left")
}

/// Shows what is done and for how long, where nobody knows how long it will be.
pub fn of_time(what: &str) -> ProgressBar {
    let clock = styled(0, "{spinner} {msg} for {elapsed}").with_message(what.to_owned());
    clock.enable_steady_tick(Duration::from_millis(100));
    clock
}

fn styled(len: u64, template: &str) -> ProgressBar {
    ProgressBar::new(len).with_style(ProgressStyle::with_template(template).expect("the template is valid"))
}
