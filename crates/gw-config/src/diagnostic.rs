//! What is wrong in a configuration, and where.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most diagnostics that are told of one configuration; the rest is only counted.
const TOLD_MAX: usize = 100;

/// A place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file; `None` for what stands in no file (defaults, the environment).
    pub file: Option<Arc<PathBuf>>,
    /// Line, from 1; 0 for the file as a whole.
    pub line: u32,
    /// Column, from 1, in characters; 0 for the file as a whole.
    pub column: u32,
}

impl Place {
    /// The place of what stands in no file.
    pub fn nowhere() -> Self {
        Self { file: None, line: 0, column: 0 }
    }

    /// A file as a whole.
    pub fn whole(file: &Path) -> Self {
        Self { file: Some(Arc::new(file.to_owned())), line: 0, column: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}", file.display())?,
            None => f.write_str("configuration")?,
        }
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

/// Whether a configuration can be used in spite of what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but somebody should look.
    Warning,
}

/// One thing that is wrong, where it stands and what to do. Shows no value that came from a `${…}` and no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the configuration can be used in spite of it.
    pub severity: Severity,
    /// Where it stands.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake.
    pub fn error(place: &Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place: place.clone(), message: message.into(), help: None }
    }

    /// Something to look at.
    pub fn warning(place: &Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        match self.severity {
            Severity::Error => {}
            Severity::Warning => f.write_str("warning: ")?,
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong in a configuration, in the order of the file. Shows one line each and a count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }
}

impl From<Vec<Diagnostic>> for Diagnostics {
    fn from(list: Vec<Diagnostic>) -> Self {
        Self(list)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.0 {
            writeln!(f, "{diagnostic}")?;
        }
        match self.count(Severity::Error) {
            1 => f.write_str("1 mistake")?,
            mistakes => write!(f, "{mistakes} mistakes")?,
        }
        match self.count(Severity::Warning) {
            0 => Ok(()),
            1 => f.write_str(", 1 warning"),
            warnings => write!(f, ", {warnings} warnings"),
        }
    }
}

impl std::error::Error for Diagnostics {}

/// Where the steps of loading put what they find.
#[derive(Debug, Default)]
pub(crate) struct Report {
    told: Vec<Diagnostic>,
    untold: usize,
    mistakes: usize,
}

impl Report {
    pub(crate) fn add(&mut self, diagnostic: Diagnostic) {
        self.mistakes += usize::from(diagnostic.severity == Severity::Error);
        if self.is_full() {
            self.untold += 1;
        } else {
            self.told.push(diagnostic);
        }
    }

    /// Adds everything that another report holds.
    pub(crate) fn append(&mut self, other: Self) {
        let mistakes = self.mistakes + other.mistakes;
        other.told.into_iter().for_each(|diagnostic| self.add(diagnostic));
        self.untold += other.untold;
        self.mistakes = mistakes;
    }

    /// Adds what another report holds and this one does not.
    pub(crate) fn append_new(&mut self, other: Self) {
        let Self { told, untold, mistakes } = other;
        let new: Vec<_> = told.into_iter().filter(|diagnostic| !self.told.contains(diagnostic)).collect();
        self.append(Self { told: new, untold, mistakes });
    }

    /// Whether there is a mistake among it.
    pub(crate) fn has_failed(&self) -> bool {
        self.mistakes > 0
    }

    /// How many mistakes there are.
    pub(crate) fn mistakes(&self) -> usize {
        self.mistakes
    }

    /// Whether what is added now is only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.told.len() >= TOLD_MAX
    }

    /// The warnings, or everything if there is a mistake among it.
    pub(crate) fn finish(mut self) -> Result<Vec<Diagnostic>, Diagnostics> {
        self.told.sort_by_key(|diagnostic| (diagnostic.place.line, diagnostic.place.column));
        if self.untold > 0 {
            let message = format!("{} more were found; mend these first", self.untold);
            let place = self.told.first().map_or_else(Place::nowhere, |first| Place {
                line: 0,
                column: 0,
                ..first.place.clone()
            });
            self.told.push(Diagnostic::error(&place, message));
        }
        if self.has_failed() { Err(Diagnostics(self.told)) } else { Ok(self.told) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: u32) -> Place {
        Place { line, column: 5, ..Place::whole(Path::new("ai-gateway-config.yaml")) }
    }

    #[test]
    fn a_diagnostic_says_where_what_and_what_to_do() {
        let found = Diagnostic::error(&place(12), "unknown key \"modles\" in providers[0]")
            .with_help("did you mean \"models\"?");
        assert_eq!(
            found.to_string(),
            "ai-gateway-config.yaml:12:5: unknown key \"modles\" in providers[0]; did you mean \"models\"?"
        );
    }

    #[test]
    fn diagnostics_come_in_the_order_of_the_file_with_a_count() {
        let mut report = Report::default();
        report.add(Diagnostic::error(&place(9), "second"));
        report.add(Diagnostic::warning(&place(3), "first"));
        let told = report.finish().unwrap_err().to_string();
        assert_eq!(
            told,
            "ai-gateway-config.yaml:3:5: warning: first\nai-gateway-config.yaml:9:5: second\n1 mistake, 1 warning"
        );
    }

    #[test]
    fn warnings_alone_do_not_stop_anything() {
        let mut report = Report::default();
        report.add(Diagnostic::warning(&place(1), "look"));
        assert_eq!(report.finish().unwrap().len(), 1);
    }

    #[test]
    fn a_flood_of_mistakes_is_counted_and_not_kept() {
        let mut report = Report::default();
        (0..5_000).for_each(|line| report.add(Diagnostic::error(&place(line), "wrong")));
        let told = report.finish().unwrap_err();
        assert_eq!(told.iter().count(), TOLD_MAX + 1);
        assert!(told.to_string().contains("4900 more were found"), "{told}");
    }
}
