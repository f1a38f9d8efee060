//! Text for people: results on standard output, and complaints on standard error.

use std::io::{self, ErrorKind, Write};

/// Standard output whose reader may close it early, as `head` does. What is written after that is dropped, so the work
/// and its exit status stay the same.
#[derive(Default)]
pub struct Out {
    is_closed: bool,
}

impl Out {
    fn unless_closed<T>(&mut self, result: io::Result<T>, when_closed: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(when_closed)
            }
            Err(error) => Err(io::Error::new(error.kind(), format!("standard output: {error}"))),
            done => done,
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Ok(bytes.len());
        }
        let written = io::stdout().write(bytes);
        self.unless_closed(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let flushed = io::stdout().flush();
        self.unless_closed(flushed, ())
    }
}

/// Escapes control characters, which a path or a name in a file may have.
pub fn escaped(text: &str) -> String {
    let one = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(one).collect()
}

/// One line on standard error, whatever is in the message.
pub fn complain(program: &str, message: &str) {
    // Where standard error is closed, there is nobody to tell.
    let _ = writeln!(io::stderr(), "{program}: {}", escaped(message));
}
