//! The statements with which a host puts a job in, in any driver; they stand in the README too. The store's own
//! do the same faster, row by row.

/// What it is: nothing is written when a live job holds its unique key, or the id is there.
pub(crate) const PUT_JOB: &str = "
INSERT INTO automarket_jobs (id, tenant, kind, payload, priority, max_attempts, unique_key, created_at, run_at)
SELECT ?1, ?2, ?3, CAST(?4 AS TEXT), ?5, ?6, ?7, ?8, CAST(?9 AS INTEGER)
WHERE NOT EXISTS (SELECT 1 FROM automarket_unique_keys WHERE tenant = ?2 AND kind = ?3 AND unique_key = ?7)
ON CONFLICT (id) DO NOTHING";

/// That it waits, right after: when the job is not new, nothing.
pub(crate) const PUT_WAITING: &str = "
INSERT INTO automarket_waiting (later, priority, kind, tenant, run_at, place)
SELECT run_at > created_at, priority, kind, tenant, run_at, place
FROM automarket_jobs WHERE changes() = 1 AND place = last_insert_rowid()";

/// Its key, right after that.
pub(crate) const PUT_KEY: &str = "
INSERT INTO automarket_unique_keys (place, tenant, kind, unique_key)
SELECT place, tenant, kind, unique_key
FROM automarket_jobs WHERE changes() = 1 AND place = last_insert_rowid() AND unique_key IS NOT NULL";

/// The job that will run when it was not new. None: another tenant has the id.
pub(crate) const HOLDER: &str = "
SELECT id FROM automarket_jobs WHERE id = ?1 AND tenant = ?2
UNION ALL
SELECT j.id FROM automarket_unique_keys k JOIN automarket_jobs j USING (place)
WHERE k.tenant = ?2 AND k.kind = ?3 AND k.unique_key = ?4
    AND NOT EXISTS (SELECT 1 FROM automarket_jobs WHERE id = ?1)";

#[cfg(test)]
mod tests {
    #[test]
    fn the_readme_shows_these_statements() {
        let readme = include_str!("../../README.md");
        for statement in [
            super::PUT_JOB,
            super::PUT_WAITING,
            super::PUT_KEY,
            super::HOLDER,
        ] {
            assert!(readme.contains(statement.trim()), "{statement}");
        }
    }
}
