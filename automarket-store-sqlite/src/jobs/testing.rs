//! What the tests of single steps share.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use automarket_core::chrono::DateTime;
use rusqlite::Connection;

/// One with our schema, in memory.
pub(crate) fn database() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    let lock = crate::lock::Lock::new(&db, std::time::Duration::ZERO);
    lock.and_then(|lock| crate::migrations::run(&db, &lock, DateTime::UNIX_EPOCH))
        .map_err(automarket_core::Error::from)
        .unwrap();
    db.pragma_update(None, "foreign_keys", false).unwrap();
    db
}

/// The plan of a step; fails unless it neither scans nor sorts.
pub(crate) fn searches(db: &Connection, step: &str) -> Vec<String> {
    let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {step}")).unwrap();
    // Unbound parameters are NULL, and change no plan.
    let lines = plan
        .raw_query()
        .mapped(|row| row.get::<_, String>("detail"));
    let lines: Vec<String> = lines.map(Result::unwrap).collect();
    for line in &lines {
        let fine = !line.starts_with("SCAN") || line == "SCAN CONSTANT ROW";
        let fine = fine && !line.contains("TEMP B-TREE");
        assert!(fine, "neither scanned nor sorted: {step}: {line}");
    }
    lines
}

/// How many operations of SQLite's machine it takes.
pub(crate) fn operations(db: &Connection, work: impl FnOnce(&Connection)) -> usize {
    let count = Arc::new(AtomicUsize::new(0));
    let counting = count.clone();
    let counting = move || {
        counting.fetch_add(1, Ordering::Relaxed);
        false
    };
    db.progress_handler(1, Some(counting)).unwrap();
    work(db);
    db.progress_handler(0, None::<fn() -> bool>).unwrap();
    count.load(Ordering::Relaxed)
}
