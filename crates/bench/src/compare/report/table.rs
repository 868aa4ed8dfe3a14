//! Tables in Markdown that can also be read as they are.

use std::fmt;

/// A table; columns with words are aligned to the left, those with figures to the right.
#[derive(Debug)]
pub(super) struct Table {
    word_columns: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns, of which the first ones hold words.
    pub(super) fn new(word_columns: usize, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { word_columns, rows: vec![columns.into_iter().map(Into::into).collect()] }
    }

    /// Adds a row with as many cells as there are columns.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Whether there are only the names of the columns.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| self.rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max();
        for (number, row) in self.rows.iter().enumerate() {
            f.write_str("|")?;
            for (column, cell) in row.iter().enumerate() {
                let width = width(column).unwrap_or(0);
                if column < self.word_columns {
                    write!(f, " {cell:<width$} |")?;
                } else {
                    write!(f, " {cell:>width$} |")?;
                }
            }
            writeln!(f)?;
            if number == 0 {
                self.write_line(f, width)?;
            }
        }
        Ok(())
    }
}

impl Table {
    /// The line between the names of the columns and the rows.
    fn write_line(&self, f: &mut fmt::Formatter<'_>, width: impl Fn(usize) -> Option<usize>) -> fmt::Result {
        f.write_str("|")?;
        for column in 0..self.rows.first().map_or(0, Vec::len) {
            let end = if column < self.word_columns { "-" } else { ":" };
            write!(f, " {:-<width$}{end} |", "", width = width(column).unwrap_or(0).saturating_sub(1))?;
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(1, ["what", "a"]);
        table.row(["x", "1,234"]);
        assert_eq!(table.to_string(), "| what |     a |\n| ---- | ----: |\n| x    | 1,234 |\n");
    }
}
