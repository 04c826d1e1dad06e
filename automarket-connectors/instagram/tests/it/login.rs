//! The login as it is declared, against Instagram's authorization server as it behaves.

use automarket_connector_instagram::{oauth, testing::auth_rules};
use automarket_core::testing::LoginUnderTest;

#[tokio::test]
async fn a_login_lives_by_these_requests() {
    let login = LoginUnderTest::new(oauth(), auth_rules());
    assert_eq!(login.live().await, include_str!("../fixtures/login.txt"));
}
