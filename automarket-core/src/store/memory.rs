/// The store in memory: for tests, examples and trying things out.
#[derive(Debug, Default)]
pub struct MemoryStore;
