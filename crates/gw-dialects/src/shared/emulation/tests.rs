use gw_core::chat::event::check;
use gw_core::chat::{Block, Candidate, Delta, Finish, FinishReason, Text, ToolInput};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn asked() -> ChatRequest {
    let function = Function {
        name: "weather".to_owned(),
        description: Some("Tells the weather".to_owned()),
        parameters: Some(json!({"type": "object", "properties": {"city": {"type": "string"}}})),
        ..Function::default()
    };
    ChatRequest {
        messages: vec![Message::new(Role::User, vec!["Rain in Rome?".into()])],
        tools: vec![Tool::Function(function)],
        ..ChatRequest::default()
    }
}

fn text(part: &Part) -> &str {
    let Part::Text(Text { text, .. }) = part else { panic!("{part:?}") };
    text
}

fn answered(said: &str) -> ChatAnswer {
    let finish = Finish::new(FinishReason::Stop, "stop");
    let candidate = Candidate { parts: vec![said.into()], finish, logprobs: None };
    restore_answer(ChatAnswer { candidates: vec![candidate], ..ChatAnswer::default() }, &asked(), "r1")
}

/// The events of a text that comes in these pieces.
fn streamed(pieces: &[&str]) -> Vec<Event> {
    let mut calls = RestoreCalls::new(&asked(), "r1");
    let mut events = Vec::new();
    let start = Event::Start { id: "a".to_owned(), model: "m".to_owned(), created_s: None };
    let begin = Event::BlockStart { index: 0, candidate: 0, block: Block::Text };
    let deltas = pieces.iter().map(|piece| Event::Delta { index: 0, delta: Delta::Text((*piece).to_owned()) });
    let finish = Event::Finish { candidate: 0, finish: Finish::new(FinishReason::Stop, "stop") };
    let all = [start, begin].into_iter().chain(deltas).chain([Event::BlockStop { index: 0 }, finish]);
    all.for_each(|event| calls.push(event, &mut events));
    assert_eq!(check(&events), None, "{events:?}");
    events
}

fn collected(events: Vec<Event>) -> Candidate {
    let mut collector = Collector::default();
    events.into_iter().for_each(|event| collector.push(event));
    collector.into_answer().candidates.remove(0)
}

const CALL: &str = "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call>";

#[test]
fn tools_are_described_and_are_no_tools_any_more() {
    let mut request = asked();
    request.tool_choice = Some(ToolChoice::Function("weather".to_owned()));
    request.parallel_tool_calls = Some(false);
    let (said, losses) = as_text(&request).unwrap();
    assert!(said.tools.is_empty() && said.tool_choice.is_none() && said.parallel_tool_calls.is_none());
    let told = text(&said.messages[0].parts[0]);
    for wanted in ["weather: Tells the weather", "\"city\"", "must call the tool weather", "one tool at a time", BEGIN]
    {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    assert_eq!(losses.iter().map(|loss| &*loss.param).collect::<Vec<_>>(), ["tools"]);
    request.tool_choice = Some(ToolChoice::None);
    assert_eq!(as_text(&request).unwrap().0.messages, request.messages);
    assert_eq!(as_text(&ChatRequest { tools: Vec::new(), ..asked() }), None);
}

#[test]
fn instructions_that_are_there_come_first() {
    let mut request = asked();
    request.messages.insert(0, Message::new(Role::System, vec!["Be brief.".into()]));
    let (said, _) = as_text(&request).unwrap();
    assert_eq!(said.messages.len(), 2);
    assert_eq!(text(&said.messages[0].parts[0]), "Be brief.");
    assert!(text(&said.messages[0].parts[1]).contains("weather"));
}

#[test]
fn earlier_calls_are_told_as_the_model_is_to_write_them_and_results_as_text() {
    let call = ToolCall {
        id: "c1".to_owned(),
        name: "weather".to_owned(),
        input: ToolInput::Json("{\"city\": \"Rome\"}".to_owned()),
        ..ToolCall::default()
    };
    let result = ToolResult {
        call_id: "c1".to_owned(),
        name: Some("weather".to_owned()),
        content: vec!["rain".into()],
        ..ToolResult::default()
    };
    let mut request = asked();
    request.messages.push(Message::new(Role::Assistant, vec![Part::ToolCall(call)]));
    request.messages.push(Message::new(Role::User, vec![Part::ToolResult(result)]));
    let (said, _) = as_text(&request).unwrap();
    assert_eq!(text(&said.messages[2].parts[0]), CALL);
    assert_eq!(text(&said.messages[3].parts[0]), "Result of the tool call of weather:\nrain");
}

#[test]
fn calls_in_a_whole_answer_come_back_with_ids_of_their_own() {
    let answer = answered(&format!("Let me look.\n{CALL}\n{CALL}\n"));
    let parts = &answer.candidates[0].parts;
    assert_eq!(parts.len(), 3, "{parts:?}");
    assert_eq!(text(&parts[0]), "Let me look.\n");
    let ids: Vec<&str> = parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(ids, ["call_r1_1", "call_r1_2"]);
    let Part::ToolCall(call) = &parts[1] else { panic!("{parts:?}") };
    assert_eq!((call.name.as_str(), &call.input), ("weather", &ToolInput::Json("{\"city\": \"Rome\"}".to_owned())));
    assert_eq!(answer.candidates[0].finish.reason, FinishReason::ToolCalls);
}

#[test]
fn what_is_no_call_stays_text() {
    for said in [
        "Write <tool_call> to call.",
        "<tool_call>{\"name\": \"unknown\", \"arguments\": {}}</tool_call> x",
        "<tool_call>not json</tool_call>",
        "1 < 2 and <tool",
        "plain",
    ] {
        let answer = answered(said);
        assert_eq!(answer.candidates[0].text(), said);
        assert_eq!(answer.candidates[0].finish.reason, FinishReason::Stop, "{said}");
    }
}

#[test]
fn a_call_is_found_as_models_write_it() {
    for said in [
        "<tool_call>{\"name\":\"weather\",\"parameters\":{\"city\":\"Rome\"}}</tool_call>",
        "<tool_call>\n```json\n{\"name\":\"weather\",\"arguments\":{\"city\":\"Rome\"}}\n```\n</tool_call>",
        "<tool_call>{\"name\":\"weather\",\"arguments\":\"{\\\"city\\\":\\\"Rome\\\"}\"}</tool_call>",
        // The answer ended with the call.
        "<tool_call>{\"name\":\"weather\",\"arguments\":{\"city\":\"Rome\"}}",
    ] {
        let answer = answered(said);
        let [Part::ToolCall(call)] = answer.candidates[0].parts.as_slice() else { panic!("{said}: {answer:?}") };
        assert_eq!(call.input, ToolInput::Json("{\"city\":\"Rome\"}".to_owned()), "{said}");
    }
}

#[test]
fn text_before_a_call_is_told_as_soon_as_it_can_be_no_call() {
    let mut calls = RestoreCalls::new(&asked(), "r1");
    let mut events = Vec::new();
    calls.push(Event::BlockStart { index: 0, candidate: 0, block: Block::Text }, &mut events);
    calls.push(Event::Delta { index: 0, delta: Delta::Text("Hello <to".to_owned()) }, &mut events);
    assert_eq!(events.last(), Some(&Event::Delta { index: 0, delta: Delta::Text("Hello ".to_owned()) }));
}

proptest! {
    #[test]
    fn a_stream_says_what_the_whole_says_wherever_it_is_cut(
        before in "[a-z <]{0,8}", after in "[a-z <]{0,8}", cuts in proptest::collection::vec(0usize..120, 0..6)
    ) {
        let said = format!("{before}{CALL}{after}");
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(said.len())).collect();
        cuts.extend([0, said.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&str> = cuts.windows(2).map(|pair| &said[pair[0]..pair[1]]).collect();
        let (whole, streamed) = (collected(streamed(&[&said])), collected(streamed(&pieces)));
        prop_assert_eq!(&whole, &streamed);
        prop_assert!(whole.calls_tools());
        prop_assert_eq!(whole.finish.reason, FinishReason::ToolCalls);
    }
}
