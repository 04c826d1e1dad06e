//! The login as it is declared, against X's authorization server as it behaves.

use automarket_connector_x::{oauth, testing::auth_rules};
use automarket_core::testing::LoginUnderTest;

#[tokio::test]
async fn a_login_lives_by_these_requests() {
    let life = LoginUnderTest::new(oauth(), auth_rules()).live().await;
    assert_eq!(life, include_str!("../fixtures/login.txt"));
}
