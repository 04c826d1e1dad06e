//! What the tests of single steps share.

use automarket_core::chrono::DateTime;
use rusqlite::Connection;

/// One with our schema, in memory.
pub(super) fn database() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    crate::migrations::run(&db, DateTime::UNIX_EPOCH)
        .map_err(automarket_core::Error::from)
        .unwrap();
    db.pragma_update(None, "foreign_keys", false).unwrap();
    db
}

/// Fails unless the step neither scans nor sorts.
pub(super) fn searches(db: &Connection, step: &str) {
    let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {step}")).unwrap();
    // Unbound parameters are NULL, and change no plan.
    let lines = plan
        .raw_query()
        .mapped(|row| row.get::<_, String>("detail"));
    for line in lines.map(Result::unwrap) {
        let of_ours =
            line.starts_with("SCAN") && !line.contains("CONSTANT") && !line.contains("VALUES");
        let fine = !of_ours && !line.contains("TEMP B-TREE");
        assert!(fine, "neither scanned nor sorted: {step}: {line}");
    }
}
