//! The cells of a table, and the table they make in Markdown.

use std::fmt::Write as _;

/// How many columns a table may have: more are no table a reader follows.
const MAX_COLUMNS: usize = 30;

#[derive(Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    /// How many columns the open cell takes.
    open: Option<usize>,
}

impl Table {
    pub(super) fn open_row(&mut self) {
        self.rows.push(Vec::new());
    }

    pub(super) fn open_cell(&mut self, columns: usize) {
        self.open = Some(columns);
    }

    /// Ends the open cell; where none is, text is a cell too.
    pub(super) fn end_cell(&mut self, text: String) {
        let columns = self.open.take();
        if columns.is_none() && text.is_empty() {
            return;
        }
        if self.rows.is_empty() {
            self.open_row();
        }
        if let Some(row) = self.rows.last_mut() {
            let end = row.len().saturating_add(columns.unwrap_or(1));
            row.push(text);
            // An empty cell has a place of its own, and so has what a wide one takes beside its text.
            row.resize(row.len().max(end.min(MAX_COLUMNS)), String::new());
        }
    }

    /// The lines of the table; or the texts of its cells, where it only lays them out.
    pub(super) fn lines(mut self) -> Result<Vec<String>, Vec<String>> {
        let filled = |row: &[String]| row.iter().filter(|cell| !cell.is_empty()).count();
        self.rows.retain(|row| filled(row) > 0);
        let width = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        // Columns of nothing only keep others apart.
        let mut shown = vec![false; width];
        for row in &self.rows {
            for (shown, cell) in shown.iter_mut().zip(row) {
                *shown |= !cell.is_empty();
            }
        }
        let columns: Vec<usize> = (0..width).filter(|at| shown[*at]).collect();
        if self.rows.iter().all(|row| filled(row) <= 1) || columns.len() > MAX_COLUMNS {
            let cells = self.rows.into_iter().flatten();
            return Err(cells.filter(|cell| !cell.is_empty()).collect());
        }
        let mut lines = Vec::new();
        for (i, row) in self.rows.iter().enumerate() {
            let mut line = String::from("|");
            for column in &columns {
                let _ = write!(line, " {} |", row.get(*column).map_or("", String::as_str));
            }
            lines.push(line);
            if i == 0 {
                lines.push(format!("|{}", " --- |".repeat(columns.len())));
            }
        }
        Ok(lines)
    }
}
