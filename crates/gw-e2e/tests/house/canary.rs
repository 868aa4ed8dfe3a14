//! Canaries: a share of the callers gets the new provider, nobody notices when it fails, and what it shows decides.

use crate::harness::{CHAT_ANSWER, Gateway, Upstream, config, http_answer, json_answer, provider, within};

/// Two providers, of which the second is a canary with these further keys.
fn with_canary(old: &Upstream, new: &Upstream, rollout: &str) -> String {
    config(&format!(
        "providers:\n{}{}routing: {{ retry_attempts: 0, circuit_breaker: {{ enabled: false }} }}\n\
         canary:\n  rollouts:\n    - {{ name: next, provider: new, model: m2, {rollout} }}\n",
        provider("old", old.address, ", models: [m]"),
        provider("new", new.address, ", models: [m2]"),
    ))
}

fn asked_by(user: &str) -> String {
    format!(r#"{{"model":"m","user":"{user}","messages":[{{"role":"user","content":"hello"}}]}}"#)
}

#[tokio::test]
async fn a_canary_that_fails_is_rolled_back_and_no_client_notices() {
    let old = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let new = Upstream::always(http_answer(500, &[("content-type", "application/json")], "{}")).await;
    let rollout = "traffic_percentage: 100, duration: 7d, minimum_requests: 5, rollback_on: { error_rate: \">5%\" }";
    let text = with_canary(&old, &new, rollout);
    let gateway = Gateway::start(&text).await;
    let rolled_back = "ai_gateway_canary{name=\"next\",stage=\"rolled_back\"}";
    let mut asked = 0;
    within("the rollback", async {
        while gateway.metric(rolled_back).await != Some(1.0) {
            let answer = gateway.chat(asked_by("somebody")).await;
            assert_eq!((answer.status, answer.text()), (200, CHAT_ANSWER));
            asked += 1;
        }
    })
    .await;
    assert!(asked >= 5, "it is judged after five calls");
    gateway.log_line("canary_rolled_back").await;
    assert_eq!(new.requests()[0].json()["model"], "m2");

    let before = new.requests().len();
    gateway.reload(&format!("{text}aliases: {{ other: old/m }}\n"), "other").await;
    assert_eq!(gateway.chat(asked_by("somebody")).await.status, 200);
    assert_eq!(new.requests().len(), before, "a reload that does not change the canary leaves it rolled back");
    assert_eq!(old.requests().len(), asked + 1);
}

#[tokio::test]
async fn a_caller_goes_one_way_until_a_canary_that_holds_takes_everybody() {
    let (old, new) =
        (Upstream::always(json_answer(CHAT_ANSWER)).await, Upstream::always(json_answer(CHAT_ANSWER)).await);
    let rollout = "traffic_percentage: 50, duration: 2s, minimum_requests: 3, auto_promote: true, \
                   success_criteria: { error_rate: \"<1%\", latency_p95: \"<30s\" }";
    let gateway = Gateway::start(&with_canary(&old, &new, rollout)).await;
    for _ in 0..2 {
        for user in 0..16 {
            assert_eq!(gateway.chat(asked_by(&format!("user-{user}"))).await.status, 200);
        }
    }
    let users = |upstream: &Upstream| -> Vec<String> {
        upstream.requests().iter().map(|request| request.json()["user"].as_str().unwrap().to_owned()).collect()
    };
    let (olds, news) = (users(&old), users(&new));
    assert!(!olds.is_empty() && !news.is_empty(), "{olds:?} {news:?}");
    assert!(olds.iter().all(|user| !news.contains(user)), "{olds:?} {news:?}");
    let named = gateway.chat(asked_by(&news[0]).replace("\"m\"", "\"old/m\"")).await;
    assert_eq!(
        (named.status, named.header("x-provider-used")),
        (200, Some("old")),
        "a provider that is named is meant"
    );

    let promoted = "ai_gateway_canary{name=\"next\",stage=\"promoted\"}";
    within("the promotion", async {
        while gateway.metric(promoted).await != Some(1.0) {
            gateway.chat(asked_by(&news[0])).await;
        }
    })
    .await;
    let answer = gateway.chat(asked_by(&olds[0])).await;
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("new")));
}
