//! What every entry of the built-in models must fulfil.

use std::collections::HashSet;

use super::*;

fn files() -> impl Iterator<Item = (&'static str, Vec<Model>)> {
    FILES.iter().map(|(id, text)| {
        let mut inflated = String::new();
        DeflateDecoder::new(*text).read_to_string(&mut inflated).unwrap();
        let models = read::read(&inflated).unwrap_or_else(|error| panic!("{id}: {error}"));
        (*id, models.into_iter().map(|(_, model)| model).collect())
    })
}

#[test]
fn there_are_at_least_four_hundred_models_and_two_hundred_that_chat() {
    let mut names = HashSet::new();
    let mut chat = HashSet::new();
    for (_, models) in files() {
        for model in models {
            if model.tasks.has(Task::Chat) {
                chat.insert(model.name.clone());
            }
            names.insert(model.name);
        }
    }
    assert!(names.len() >= 400, "{}", names.len());
    assert!(chat.len() >= 200, "{}", chat.len());
}

#[test]
fn every_task_has_a_model() {
    let all: HashSet<_> =
        files().flat_map(|(_, models)| models).flat_map(|model| model.tasks.iter().collect::<Vec<_>>()).collect();
    for task in Task::ALL {
        assert!(all.contains(task), "{}", task.name());
    }
}

#[test]
fn every_file_is_of_a_provider_type_or_of_one_that_is_awaited() {
    for (id, _) in files() {
        let known = Catalog::builtin().get(id).is_some_and(|entry| entry.id == id);
        assert!(known, "{id}");
    }
}

#[test]
fn every_model_has_a_source_and_a_date() {
    let is_date = |date: &str| date.len() == 10 && date.split('-').map(str::len).eq([4, 2, 2]);
    for (id, models) in files() {
        for model in models {
            let place = format!("{id}: {}", model.name);
            assert!(model.source.starts_with("https://"), "{place}: {}", model.source);
            assert!(is_date(&model.date), "{place}");
            assert!(model.deprecated.as_deref().is_none_or(is_date), "{place}");
            assert!(model.tasks.iter().next().is_some() && model.output.iter().next().is_some(), "{place}");
        }
    }
}

#[test]
fn no_two_models_of_a_provider_share_a_name_and_all_are_sorted() {
    for (id, models) in files() {
        assert!(models.is_sorted_by(|one, other| one.name < other.name), "{id}");
        let mut seen = HashSet::new();
        for model in &models {
            for name in std::iter::once(&model.name).chain(&model.aliases) {
                assert!(seen.insert(name.clone()), "{id}: {name}");
                assert!(
                    !name.is_empty() && !name.chars().any(|letter| letter.is_control() || letter == ' '),
                    "{id}: {name}"
                );
            }
        }
    }
}

#[test]
fn no_price_is_out_of_all_proportion() {
    use gw_core::Dimension;
    // A token for a thousandth of a dollar is a slip of a decimal point, and so is a cached token that costs more than a
    // fresh one.
    let dearest = |dimension: Dimension| if dimension.is_per_million() { "1000" } else { "20" };
    for (id, models) in files() {
        for model in models {
            let Some(price) = &model.price else { continue };
            let place = format!("{id}: {}", model.name);
            for (dimension, rate) in price.rates.iter() {
                let bound = match dimension.is_per_million() {
                    true => gw_core::Rate::per_million(dearest(dimension)).unwrap(),
                    false => gw_core::Rate::per_unit(dearest(dimension)).unwrap(),
                };
                assert!(rate < bound, "{place}: {}", dimension.name());
            }
            if let (Some(input), Some(cached)) =
                (price.rates.get(Dimension::Input), price.rates.get(Dimension::CachedInput))
            {
                assert!(cached <= input || model.note.is_some(), "{place}");
            }
        }
    }
}

#[test]
fn the_models_that_a_provider_is_known_for_are_described() {
    let mut missing = Vec::new();
    for entry in Catalog::builtin().iter() {
        let Some(models) = ProviderModels::builtin(&entry.id) else { continue };
        missing.extend(
            entry.known_models().filter(|name| models.find(name).is_none()).map(|name| format!("{}/{name}", entry.id)),
        );
    }
    println!("{} known names without facts: {}", missing.len(), missing.join(" "));
    let known: usize = Catalog::builtin().iter().map(|entry| entry.known_models().len()).sum();
    assert!(missing.len() * 4 < known, "{} of {known}: {missing:?}", missing.len());
}
