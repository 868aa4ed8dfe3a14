//! Prometheus text format 0.0.4.

use std::fmt::Write as _;

use crate::counter::HistogramTotal;
use crate::names::{Metric, seconds};
use crate::series::bounds_us;

/// A page of metrics.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

/// The samples of one metric.
pub(crate) struct Family<'a> {
    metric: Metric,
    text: &'a mut String,
}

impl Page {
    /// Begins a metric. The samples of a metric must follow each other.
    pub(crate) fn family(&mut self, metric: Metric) -> Family<'_> {
        let Metric { name, kind, help, .. } = metric;
        // Writing to a string cannot fail. No help text holds a line break or a backslash.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
        Family { metric, text: &mut self.0 }
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// A sample of a counter or gauge, with a value for each of the metric's labels.
    pub(crate) fn sample(&mut self, labels: &[&str], value: u64) {
        self.line("", labels, None, value);
    }

    /// All samples of a histogram.
    pub(crate) fn histogram(&mut self, labels: &[&str], total: &HistogramTotal) {
        let bounds = bounds_us(self.metric.kind).iter().map(|bound_us| seconds(*bound_us).to_string());
        let mut counts = total.counts.iter();
        let mut sum = 0;
        for bound in bounds.chain(["+Inf".to_owned()]) {
            sum += counts.next().unwrap_or(&0);
            self.line("_bucket", labels, Some(&bound), sum);
        }
        self.line("_sum", labels, None, seconds(total.sum_us));
        self.line("_count", labels, None, sum);
    }

    fn line(&mut self, suffix: &str, labels: &[&str], bound: Option<&str>, value: impl std::fmt::Display) {
        debug_assert_eq!(labels.len(), self.metric.labels.len(), "{}", self.metric.name);
        self.text.push_str(self.metric.name);
        self.text.push_str(suffix);
        let pairs = self.metric.labels.iter().copied().zip(labels.iter().copied());
        let mut separator = '{';
        for (name, label) in pairs.chain(bound.map(|bound| ("le", bound))) {
            self.text.push(separator);
            self.text.push_str(name);
            self.text.push_str("=\"");
            push_escaped(self.text, label);
            self.text.push('"');
            separator = ',';
        }
        if separator == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

fn push_escaped(text: &mut String, label: &str) {
    for character in label.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

/// Reads a page again, as strictly as Prometheus does.
#[cfg(test)]
pub(crate) mod check {
    use std::collections::{BTreeMap, HashSet};

    /// A sample's name and labels, as (name, value) with the escapes undone.
    pub(crate) type Id = (String, Vec<(String, String)>);

    /// The samples of a page; fails if it is not well formed.
    pub(crate) fn samples(page: &str) -> BTreeMap<Id, f64> {
        let (mut samples, mut families, mut current) = (BTreeMap::new(), HashSet::new(), String::new());
        assert!(page.ends_with('\n'));
        for line in page.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, text) = help.split_once(' ').unwrap();
                assert!(families.insert(name.to_owned()), "{name} stands twice");
                assert!(!text.contains('\\') && !text.is_empty());
                name.clone_into(&mut current);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert_eq!(name, current);
                assert!(["counter", "gauge", "histogram"].contains(&kind));
            } else {
                let (id, value) = sample(line);
                let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| id.0.strip_suffix(suffix));
                assert!(id.0 == current || base == Some(&current), "{line} is not of {current}");
                assert!(samples.insert(id, value).is_none(), "{line} stands twice");
            }
        }
        samples
    }

    fn sample(line: &str) -> (Id, f64) {
        let (name, mut rest) = line.split_at(line.find(['{', ' ']).unwrap());
        let mut labels = Vec::new();
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner;
            loop {
                let (label, after) = rest.split_once("=\"").unwrap();
                let (value, after) = unescape(after);
                labels.push((label.to_owned(), value));
                rest = &after[1..];
                if after.starts_with('}') {
                    break;
                }
                assert!(after.starts_with(','), "{line}");
            }
        }
        ((name.to_owned(), labels), rest.strip_prefix(' ').unwrap().parse().unwrap())
    }

    /// The text up to the closing quote, and what follows that.
    fn unescape(text: &str) -> (String, &str) {
        let (mut value, mut characters) = (String::new(), text.char_indices());
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => return (value, &text[at + 1..]),
                '\\' => value.push(match characters.next().unwrap().1 {
                    'n' => '\n',
                    same @ ('\\' | '"') => same,
                    other => panic!("unknown escape {other}"),
                }),
                other => value.push(other),
            }
        }
        panic!("no closing quote in {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{ALL, BUILD_INFO, IN_FLIGHT, OVERHEAD};

    #[test]
    fn a_label_may_hold_anything() {
        let nasty = "a\\b\"c\nd{e}=,é\\n";
        let mut page = Page::default();
        page.family(BUILD_INFO).sample(&[nasty], 1);
        let samples = check::samples(&page.into_text());
        let id = ("ai_gateway_build_info".to_owned(), vec![("version".to_owned(), nasty.to_owned())]);
        assert_eq!(samples.get(&id), Some(&1.0));
    }

    #[test]
    fn the_text_is_as_prometheus_wants_it() {
        let mut page = Page::default();
        page.family(IN_FLIGHT).sample(&[], 3);
        let mut counts = vec![0; bounds_us(OVERHEAD.kind).len() + 1];
        (counts[0], counts[1]) = (2, 1);
        *counts.last_mut().unwrap() = 4;
        page.family(OVERHEAD).histogram(&["chat"], &HistogramTotal { counts, sum_us: 1_500_001 });
        let text = page.into_text();
        for line in [
            "# TYPE ai_gateway_requests_in_flight gauge",
            "ai_gateway_requests_in_flight 3",
            "# TYPE ai_gateway_overhead_seconds histogram",
            "ai_gateway_overhead_seconds_bucket{operation=\"chat\",le=\"0.00001\"} 2",
            "ai_gateway_overhead_seconds_bucket{operation=\"chat\",le=\"0.000025\"} 3",
            "ai_gateway_overhead_seconds_bucket{operation=\"chat\",le=\"1\"} 3",
            "ai_gateway_overhead_seconds_bucket{operation=\"chat\",le=\"+Inf\"} 7",
            "ai_gateway_overhead_seconds_sum{operation=\"chat\"} 1.500001",
            "ai_gateway_overhead_seconds_count{operation=\"chat\"} 7",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing from\n{text}");
        }
    }

    #[test]
    fn no_help_text_needs_escaping() {
        assert!(ALL.iter().all(|metric| !metric.help.contains(['\\', '\n'])));
    }
}
