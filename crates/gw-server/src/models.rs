//! `GET /v1/models` and `GET /v1/models/{id}`, in OpenAI's shape.

use bytes::Bytes;
use gw_core::Error;
use gw_engine::Snapshot;
use serde_json::{Value, json};

/// Creation times are not known; OpenAI's shape requires one.
const CREATED: u64 = 0;

/// The list of every name that a client may use.
pub fn list(snapshot: &Snapshot) -> Bytes {
    let data: Vec<Value> = snapshot.models.list().iter().map(|(id, owner)| model(id, owner)).collect();
    Bytes::from(json!({ "object": "list", "data": data }).to_string())
}

/// One model; any name that a request could use is found.
///
/// # Errors
/// `model_not_found`, naming near matches.
pub fn one(snapshot: &Snapshot, id: &str) -> Result<Bytes, Error> {
    let choice = snapshot.models.resolve(Some(id), None)?;
    Ok(Bytes::from(model(id, &choice.provider.type_id).to_string()))
}

fn model(id: &str, owner: &str) -> Value {
    json!({ "id": id, "object": "model", "created": CREATED, "owned_by": owner })
}
