/// A store under test.
#[derive(Debug)]
pub struct StoreUnderTest;
/// One promise of the store.
#[derive(Debug)]
pub struct StoreCase;
/// All promises.
#[must_use]
pub fn store_cases() -> Vec<StoreCase> {
    Vec::new()
}
