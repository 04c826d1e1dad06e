/// Names a moment between two awaits, for kill tests: `stage` is `before` or `after`. With the feature
/// `testing` the process ends here when `testing::FAULT_POINT` names `name:stage`; without it this is nothing.
#[inline]
pub fn fault_point(name: &str, stage: &str) {
    #[cfg(feature = "testing")]
    crate::testing::reach(name, stage);
    #[cfg(not(feature = "testing"))]
    let _ = (name, stage);
}
