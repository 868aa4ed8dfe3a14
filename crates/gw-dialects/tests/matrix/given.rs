//! The cases themselves: what a client is said to send or a provider to answer, the vendor's own schema allows. A request
//! whose name begins with `beyond-` uses what others than the vendor added.

use crate::fixtures;
use crate::known::Law;
use crate::report::Report;
use crate::specs::Specs;
use crate::streams::validate;
use crate::table::DIALECTS;

#[test]
fn every_fixture_is_one_that_the_vendor_could_have_met() {
    let (mut report, mut specs) = (Report::new(Law::Fixture), Specs::find());
    for dialect in DIALECTS {
        for (kind, schema) in [("requests", dialect.request), ("answers", dialect.answer)] {
            for file in fixtures::list(dialect.name, kind) {
                let beyond = file.name.starts_with("beyond-");
                let faults = if beyond { Vec::new() } else { specs.faults(schema, &file.json()) };
                faults.iter().for_each(|fault| report.wrong(dialect.name, &format!("{kind}/{}", file.name), fault));
            }
        }
        let Some(schema) = dialect.event else { continue };
        for file in fixtures::list(dialect.name, "streams") {
            if !file.name.starts_with("broken-") {
                let case = format!("streams/{}", file.name);
                validate(&mut specs, schema, &file.bytes, |fault| report.wrong(dialect.name, &case, fault));
            }
        }
    }
    report.finish_if(specs.are_here());
}
