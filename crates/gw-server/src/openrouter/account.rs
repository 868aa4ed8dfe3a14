//! What is known of a key: its name, and what it has used since the process began. Keys have no limits and credits are not
//! sold: there are none.

use std::time::SystemTime;

use gw_core::Nanodollars;
use gw_engine::recent::{Owner, Recent};
use gw_telemetry::rfc3339;
use serde_json::{Value, json};

use super::data;

/// `GET /api/v1/key`.
pub(super) async fn key(recent: &dyn Recent, owner: &Owner, now: SystemTime) -> Value {
    let totals = recent.totals(owner).await;
    let (ours, callers) = (&totals.ours, &totals.callers);
    data(json!({
        "label": label(owner),
        "limit": null,
        "limit_remaining": null,
        "limit_reset": null,
        "usage": dollars(ours.all()),
        "usage_daily": dollars(ours.in_day(now)),
        "usage_weekly": dollars(ours.in_week(now)),
        "usage_monthly": dollars(ours.in_month(now)),
        "byok_usage": dollars(callers.all()),
        "byok_usage_daily": dollars(callers.in_day(now)),
        "byok_usage_weekly": dollars(callers.in_week(now)),
        "byok_usage_monthly": dollars(callers.in_month(now)),
        "include_byok_in_limit": false,
        "is_free_tier": false,
        "is_management_key": false,
        "is_provisioning_key": false,
        "creator_user_id": null,
        "organization_id": null,
        "workspace_id": null,
        "allowed_data_regions": ["global"],
        "budgets": [],
        "effective_budget": null,
        "free_model_daily_requests": { "limit": 0, "remaining": 0, "used": 0 },
        "expires_at": null,
        "rate_limit": { "requests": -1, "interval": "1s", "note": "keys have no limits of rate here" },
        "requests": totals.requests,
        "requests_without_price": totals.unpriced,
        "usage_since": rfc3339::text(recent.since()),
    }))
}

/// `GET /api/v1/credits`. OpenRouter's credits are bought beforehand: of those there are none. What was used is told.
pub(super) async fn credits(recent: &dyn Recent, owner: &Owner) -> Value {
    let totals = recent.totals(owner).await;
    data(json!({
        "total_credits": 0,
        "total_usage": dollars(totals.ours.all()),
        "requests_without_price": totals.unpriced,
        "usage_since": rfc3339::text(recent.since()),
    }))
}

/// An amount as a number: the nearest there is to its exact text.
pub(super) fn dollars(amount: Nanodollars) -> Value {
    amount.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

fn label(owner: &Owner) -> &str {
    match owner {
        Owner::Key(name) => name,
        Owner::Foreign(_) => "your own key",
        Owner::Anybody => "no key",
    }
}
