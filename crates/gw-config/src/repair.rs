//! Parses a file, with one repair of what is no YAML: a `canary` with a key and list items side by side, as it is often copied.
//!
//! ```yaml
//! canary:
//!   enabled: true
//!   - name: test-new-provider      # belongs below `rollouts:`
//! ```

use crate::diagnostic::{Diagnostic, Report};
use crate::node::{self, Node, Origin};

/// The key that the list items belong below.
const MISSING: &str = "rollouts:";

/// A text with one line more, and the number of that line, counted from 1.
struct Repaired {
    text: String,
    line: usize,
}

/// Parses YAML or JSON, repaired if that helps. `None` if it is neither, or if nothing stands in it; the report then
/// knows the difference.
pub(crate) fn parse(text: &str, origin: &Origin, report: &mut Report) -> Option<Node> {
    let mut first = Report::default();
    let node = node::parse(text, origin, None, &mut first);
    if node.is_none() && first.has_failed() {
        let repaired = repair(text).and_then(|repaired| parse_repaired(&repaired, origin));
        if let Some((node, warning)) = repaired {
            report.add(warning);
            return Some(node);
        }
    }
    report.append(first);
    node
}

fn parse_repaired(repaired: &Repaired, origin: &Origin) -> Option<(Node, Diagnostic)> {
    let mut report = Report::default();
    let node = node::parse(&repaired.text, origin, Some(repaired.line), &mut report)?;
    let message = "list items stand beside keys of \"canary\", and are read as \"canary.rollouts\"";
    let warning = Diagnostic::warning(&origin.line(repaired.line), message).with_help("add \"rollouts:\" above them");
    (!report.has_failed()).then_some((node, warning))
}

/// The text with `rollouts:` above the items, if there is such a place.
fn repair(text: &str) -> Option<Repaired> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let above = lines.iter().position(|line| is_canary(line))?;
    let outer = indent(lines.get(above)?);
    let mut inner = None;
    for (number, line) in lines.iter().enumerate().skip(above + 1) {
        if is_empty(line) {
            continue;
        }
        let depth = indent(line);
        if depth <= outer {
            return None;
        }
        match (inner, is_item(line)) {
            // A list alone is no mixture.
            (None, true) => return None,
            (None, false) => inner = Some(depth),
            (Some(inner), true) if depth == inner => {
                let mut text: String = lines.get(..number)?.concat();
                text.push_str(&format!("{}{MISSING}\n", " ".repeat(depth)));
                text.extend(lines.get(number..)?.iter().copied());
                return Some(Repaired { text, line: number + 1 });
            }
            (Some(inner), false) if depth == inner && line.trim_start().starts_with(MISSING) => return None,
            (Some(_), _) => {}
        }
    }
    None
}

fn is_canary(line: &str) -> bool {
    let rest = line.trim_start().strip_prefix("canary:").map(str::trim_start);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
}

fn is_empty(line: &str) -> bool {
    let content = line.trim();
    content.is_empty() || content.starts_with('#')
}

fn is_item(line: &str) -> bool {
    line.trim_start().starts_with("- ")
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_beside_keys_get_the_key_that_they_belong_below() {
        let repaired =
            repair("a: 1\ncanary:\n  enabled: true\n  # new\n  - name: x\n    duration: 7d\nb: 2\n").unwrap();
        assert_eq!(
            (repaired.text.as_str(), repaired.line),
            ("a: 1\ncanary:\n  enabled: true\n  # new\n  rollouts:\n  - name: x\n    duration: 7d\nb: 2\n", 5)
        );
    }

    #[test]
    fn what_is_right_or_wrong_otherwise_stays_as_it_is() {
        for text in [
            "",
            "canary:\n",
            "canary:\n  - name: x\n",
            "canary:\n  enabled: true\n  rollouts:\n  - name: x\n",
            "canary:\n  enabled: true\nb:\n  - name: x\n",
            "canary: { enabled: true }\n  - name: x\n",
        ] {
            assert!(repair(text).is_none(), "{text}");
        }
    }
}
