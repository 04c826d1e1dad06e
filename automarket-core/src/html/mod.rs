//! Reading, extracting and sanitising HTML from anywhere, in bounded time and memory.
