//! Starts the gateway as a program, stands on both sides of it, and looks at every byte.
//!
//! `harness` is how: [`harness::Gateway`] is the program, [`harness::Upstream`] plays a provider by script,
//! [`harness::Client`] is an application. The program is found through `AI_GATEWAY_BINARY`, or where cargo builds it.

#[cfg(test)]
mod harness;

#[cfg(test)]
mod attempts_told;
#[cfg(test)]
mod byok;
#[cfg(test)]
mod canary;
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod costs;
#[cfg(test)]
mod costs_carried;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod embeddings_translated;
#[cfg(test)]
mod environments;
#[cfg(test)]
mod exacto;
#[cfg(test)]
mod fidelity;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod health_checks;
#[cfg(test)]
mod insured;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod keys_beside;
#[cfg(test)]
mod leaving;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod openrouter;
#[cfg(test)]
mod openrouter_facts;
#[cfg(test)]
mod preferences;
#[cfg(test)]
mod protocols;
#[cfg(test)]
mod relay_flow;
#[cfg(test)]
mod relay_forms;
#[cfg(test)]
mod relay_objects;
#[cfg(test)]
mod relay_raw;
#[cfg(test)]
mod relay_realtime;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod rerank;
#[cfg(test)]
mod route_graphs;
#[cfg(test)]
mod routing_auto;
#[cfg(test)]
mod routing_configured;
#[cfg(test)]
mod routing_explained;
#[cfg(test)]
mod routing_hedges;
#[cfg(test)]
mod routing_named;
#[cfg(test)]
mod routing_not_resumed;
#[cfg(test)]
mod routing_requests;
#[cfg(test)]
mod routing_resumed;
#[cfg(test)]
mod routing_rules;
#[cfg(test)]
mod routing_standing;
#[cfg(test)]
mod routing_walk;
#[cfg(test)]
mod routing_words;
#[cfg(test)]
mod rubbish;
#[cfg(test)]
mod rules_around;
#[cfg(test)]
mod searching;
#[cfg(test)]
mod shadow;
#[cfg(test)]
mod shadow_safety;
#[cfg(test)]
#[path = "../../../gw-dialects/tests/support/specs.rs"]
#[expect(dead_code, reason = "written for several")]
mod specs;
#[cfg(test)]
mod standing_in;
#[cfg(test)]
mod start;
#[cfg(test)]
mod stop;
#[cfg(test)]
mod stream_ends;
#[cfg(test)]
mod stream_faults;
#[cfg(test)]
mod suffixes;
mod threads;
#[cfg(test)]
mod times;
#[cfg(test)]
mod translated;
#[cfg(test)]
mod translated_agents;
#[cfg(test)]
mod translated_answers;
#[cfg(test)]
mod translated_breaks;
#[cfg(test)]
mod translated_crowd;
#[cfg(test)]
mod translated_envelopes;
#[cfg(test)]
mod translated_errors;
#[cfg(test)]
mod translated_fixtures;
#[cfg(test)]
mod translated_keys;
#[cfg(test)]
mod translated_leaving;
#[cfg(test)]
mod translated_losses;
#[cfg(test)]
mod translated_members;
#[cfg(test)]
mod translated_others;
#[cfg(test)]
mod translated_rubbish;
#[cfg(test)]
mod translated_settings;
#[cfg(test)]
mod translated_through;
#[cfg(test)]
mod translated_vendors;
#[cfg(test)]
mod upstream_faults;
#[cfg(test)]
mod visible;
