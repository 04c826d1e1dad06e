//! How large what jobs carry and give may be.

use std::io;

use serde::Serialize;

/// So many bytes of JSON at the most. What is larger takes the store so long that it holds up the jobs beside it.
const MOST: usize = 16 << 20;

/// How many bytes it has as JSON; `None` when they are too many.
pub(super) fn json_size(value: &impl Serialize) -> Option<usize> {
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).ok()?;
    Some(count.0)
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        match self.0 <= MOST {
            true => Ok(bytes.len()),
            false => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
