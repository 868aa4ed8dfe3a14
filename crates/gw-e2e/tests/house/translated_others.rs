//! Providers with formats that no client speaks: Ollama's lines and Cohere's events.

use std::net::SocketAddr;

use crate::harness::{Answer, Gateway, Upstream, config};
use crate::translated::{Format, HELLO, entry, ok};
use crate::translated_fixtures::fixture;

/// A provider that answers with the fixtures of a folder.
#[derive(Clone, Copy)]
struct Other {
    type_id: &'static str,
    base: &'static str,
    path: &'static str,
    folder: &'static str,
    extension: &'static str,
    media_type: &'static str,
}

const OLLAMA: Other = Other {
    type_id: "ollama-native",
    base: "",
    path: "/api/chat",
    folder: "ollama_chat",
    extension: "ndjson",
    media_type: "application/x-ndjson",
};
const COHERE: Other = Other {
    type_id: "cohere",
    base: "/v2",
    path: "/v2/chat",
    folder: "cohere_chat",
    extension: "sse",
    media_type: "text/event-stream",
};

impl Other {
    fn stream(self, name: &str) -> String {
        fixture(&format!("{}/streams/{name}.{}", self.folder, self.extension))
    }

    fn head(self) -> String {
        format!("HTTP/1.1 200 OK\r\ncontent-type: {}\r\nconnection: close\r\n\r\n", self.media_type)
    }

    /// Streams what is given, in writes of so many bytes; who asks for no stream gets a whole answer.
    async fn serve(self, stream: String, bytes: usize) -> Upstream {
        Upstream::start(move |mut peer| {
            let stream = stream.clone();
            async move {
                while let Some(request) = peer.request().await {
                    if request.json()["stream"] != true {
                        peer.send(ok(&fixture(&format!("{}/answers/text.json", self.folder)))).await;
                        continue;
                    }
                    peer.send(self.head()).await;
                    for piece in stream.as_bytes().chunks(bytes) {
                        peer.send(piece).await;
                    }
                    return;
                }
            }
        })
        .await
    }

    async fn gateway(self, address: SocketAddr) -> Gateway {
        Gateway::start(&config(&format!("providers:\n{}", entry("house", self.type_id, address, self.base, "")))).await
    }

    async fn ask(self, gateway: &Gateway, format: Format, stream: bool) -> Answer {
        let body = format.body("house/m:1", stream, "Say hello.").to_string();
        gateway.post(&format.path("house/m:1", stream), body).await
    }
}

#[tokio::test]
async fn ollamas_lines_and_coheres_events_become_every_clients_answers() {
    for other in [OLLAMA, COHERE] {
        let upstream = other.serve(other.stream("text"), 1 << 20).await;
        let gateway = other.gateway(upstream.address).await;
        for format in Format::ALL {
            let answer = other.ask(&gateway, format, false).await;
            assert_eq!(format.read(&answer.json()), format.whole(HELLO), "{format:?}: {}", answer.text());
            let stream = other.ask(&gateway, format, true).await;
            assert_eq!(format.read_stream(stream.text()), format.whole(HELLO), "{format:?}: {}", stream.text());
            for answer in [answer, stream] {
                let record = gateway.record(answer.request_id()).await;
                assert_eq!(record["outcome"], "completed", "{record}");
                assert_eq!((&record["input_tokens"], &record["output_tokens"]), (&20.into(), &10.into()), "{record}");
            }
            let request = upstream.requests().pop().unwrap();
            assert_eq!(request.head.first_line, format!("POST {} HTTP/1.1", other.path));
            assert_eq!(request.json()["model"], "m:1");
        }
    }
}

#[tokio::test]
async fn lines_and_events_in_writes_of_one_byte_say_the_same() {
    for other in [OLLAMA, COHERE] {
        let upstream = other.serve(other.stream("text"), 1).await;
        let gateway = other.gateway(upstream.address).await;
        for format in Format::ALL {
            let answer = other.ask(&gateway, format, true).await;
            assert_eq!(format.read_stream(answer.text()), format.whole(HELLO), "{format:?}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_stream_of_theirs_that_breaks_off_or_tells_of_an_error_ends_in_the_clients_own_error() {
    for (other, name, code) in [
        (OLLAMA, "broken-off-in-the-middle", "provider_stream_interrupted"),
        (COHERE, "broken-off-in-the-middle", "provider_stream_interrupted"),
        (OLLAMA, "broken-error-in-the-stream", "provider_failed"),
        (COHERE, "broken-by-an-error", "provider_failed"),
    ] {
        let upstream = other.serve(other.stream(name), 1 << 20).await;
        let gateway = other.gateway(upstream.address).await;
        for format in Format::ALL {
            let answer = other.ask(&gateway, format, true).await;
            format.stream_error(answer.text());
            let record = gateway.record(answer.request_id()).await;
            assert_eq!(
                (&record["outcome"], &record["error"]),
                (&"failed".into(), &code.into()),
                "{format:?}: {record}"
            );
        }
    }
}
