use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A request whose facts are told by their paths; whatever else is asked for is missing.
struct Request(Value);

impl Facts for Request {
    fn fact(&self, path: &str) -> Option<Cow<'_, Value>> {
        if let Some(found) = self.0.get(path) {
            return Some(Cow::Borrowed(found));
        }
        let path = path.strip_prefix("params.")?;
        path.split('.').try_fold(self.0.get("params")?, |value, name| value.get(name)).map(Cow::Borrowed)
    }
}

fn request() -> Request {
    Request(json!({
        "request.model": "gpt-4o", "request.stream": true, "request.tags": ["critical", "eu"], "request.batch_size": 3,
        "request.path": "/v1/chat/completions", "request.operation": "chat", "request.has_tools": false,
        "metadata": { "team": "x", "age": "41", "plan": { "name": "paid" } },
        "metadata.team": "x", "metadata.age": "41", "metadata.plan": { "name": "paid" },
        "headers.x-team": "x", "time.hour": 22, "time.weekday": 0,
        "params": {
            "temperature": 0.7, "max_tokens": 9000, "seed": 18_446_744_073_709_551_615_u64, "user": null,
            "response_format": { "type": "json_schema" },
            "messages": [
                { "role": "system", "content": "be brief" },
                { "role": "user", "content": [{ "type": "image_url" }, { "type": "text", "text": "what is it" }] },
            ],
        },
    }))
}

fn evaluate(text: &str, request: &Request) -> Result<bool, Failure> {
    Expression::read(text).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}")).evaluate(request)
}

#[test]
fn an_expression_holds_for_the_requests_that_it_describes() {
    for (text, holds) in [
        (r#"request.model.startsWith("gpt-4") && size(request.tags) > 0 && metadata.team == "x""#, true),
        (r#"request.model.startsWith("gpt-4") && metadata.team == "y""#, false),
        (r#"request.model in ["gpt-4o", "o1"]"#, true),
        (r#""eu" in request.tags && !("us" in request.tags)"#, true),
        (r#"request.model.matches("^gpt-[0-9]+o$")"#, true),
        (r#"request.model.matches("mini") || request.path.endsWith("/completions")"#, true),
        ("request.stream", true),
        ("!request.stream && request.batch_size > 2", false),
        ("params.temperature >= 0.7 && params.max_tokens > 8000", true),
        ("params.max_tokens == 9000.0", true),
        ("params.seed == 18446744073709551615u", true),
        ("params.user == null", true),
        ("has(params.user) && !has(params.tools) && !has(metadata.nothing)", true),
        ("has(params.a.b.c)", false),
        (r#"params.response_format.type == "json_schema" && params["response_format"]["type"] != "text""#, true),
        (r#"params.messages[0].role == "system" && size(params.messages) == 2"#, true),
        (r#"params.messages.exists(m, type(m.content) == list && m.content.exists(c, c.type == "image_url"))"#, true),
        (r#"params.messages.all(m, m.role != "tool") && params.messages.exists_one(m, m.role == "user")"#, true),
        (r#"size(params.messages.filter(m, has(m.content))) == 2"#, true),
        (r#"params.messages.map(m, m.role) == ["system", "user"]"#, true),
        (r#"params.messages.map(m, m.role == "user", m.role) == ["user"]"#, true),
        // A variable of a macro hides what has its name.
        (r#"request.tags.exists(request, request == "eu")"#, true),
        (r#"headers["x-team"] == metadata["team"]"#, true),
        (r#"metadata.plan.name == "paid" && "team" in metadata && metadata[headers["x-team"] + ""] == 1"#, false),
        (r#"int(metadata.age) > 40"#, true),
        ("time.hour >= 20 || time.hour < 6", true),
        ("time.weekday in [0, 6] ? request.batch_size < 10 : true", true),
        // What decides without it does not ask for what is missing.
        (r#"metadata.nothing == "x" || request.stream"#, true),
        ("request.model == \"gpt-4o\"\n  // a comment\n  && true", true),
    ] {
        let found = evaluate(text, &request());
        match text.contains("headers[\"x-team\"] +") {
            true => assert!(found.is_err(), "{text}: a computed name that is not there"),
            false => assert_eq!(found, Ok(holds), "{text}"),
        }
    }
}

#[test]
fn an_expression_that_fails_says_why_and_quotes_nothing_of_the_request() {
    for (text, why) in [
        (r#"metadata.nothing == "x""#, "the request has no metadata.nothing"),
        ("params.tools[0].type == \"function\"", "the request has no params.tools"),
        ("metadata.plan.price > 1", "an object has no such member"),
        ("params.messages[7].role == \"user\"", "a list has no such item"),
        ("metadata.age > 40", "_>_ is nothing for (string, int)"),
        ("metadata.team + params.max_tokens == \"x\"", "values are of other types than it needs"),
        ("request.batch_size / 0 == 1", "it divides by zero"),
        ("request.batch_size * 9223372036854775807 > 1", "a number is too large"),
        ("int(metadata.team) > 1", "int is nothing for what it is given"),
        ("metadata.team", "it is a string, and neither true nor false"),
        ("request.model.matches(\"o$\") && params.max_tokens.matches(\"1\")", "matches is nothing for (int, pattern)"),
    ] {
        assert_eq!(evaluate(text, &request()), Err(Failure::Unknown(why.to_owned())), "{text}");
    }
}

#[test]
fn what_is_no_expression_is_refused_and_says_what_to_do() {
    for (text, what, help) in [
        ("", "expecting expression", "request.model"),
        ("request.model ==", "line 1, column 17 of it: mismatched input the end", "request.model"),
        ("request.model = \"x\"", "column 15", ""),
        ("model == \"x\"", "there is no `model`", "there are request, metadata, params, headers, time"),
        ("request.modle == \"x\"", "there is no `request.modle`", "request.model"),
        ("time.day == 1", "there is no `time.day`", "time.hour, time.minute, time.weekday"),
        ("has(request.nothing)", "there is no `request.nothing`", "request.model"),
        ("size(params) > 1", "`params` is named without a member", "params.NAME"),
        ("\"x-team\" in headers", "`headers` is named without a member", "headers[\"NAME\"]"),
        ("request.tags.exists(t, tag == \"x\")", "there is no `tag`", "metadata"),
        ("request.model.lower() == \"x\"", "there is no function `lower`", "startsWith"),
        ("request.tags.exists(t)", "`exists` is not called so", "x.all(one, …)"),
        ("startsWith(request.model, \"x\")", "`startsWith` is not called so", "x.startsWith(y)"),
        ("size(request.tags, 1) > 1", "`size` is not called so", "size(x) or x.size()"),
        ("request.model.matches(metadata.pattern)", "is not written out", "in quotes"),
        ("request.model.matches(\"(\")", "regular expression", "in quotes"),
        ("request.model.matches(\"a{1000}{1000}{1000}\")", "its repetitions are too long", "in quotes"),
        ("A{b: 1} == 1", "makes an object of a type", "a map"),
        ("\"yes\"", "`\"yes\"` is a text", "compare it"),
        ("1 + 1", "`1 + 1` is a whole number", "compare it"),
        ("request.model", "`request.model` is a text", "compare it"),
        ("size(request.tags)", "`size(request.tags)` is a whole number", "compare it"),
        ("request.tags.filter(t, true)", "is a list", "compare it"),
        ("request.stream ? \"a\" : true", "`request.stream ? … : …` is a text or true or false", "one kind"),
        ("metadata", "`metadata` is an object", "compare it"),
        ("a.?b", "unsupported", ""),
    ] {
        let mistake = Expression::read(text).expect_err(text);
        assert!(mistake.what.contains(what) && mistake.help.contains(help), "{text}: {mistake:?}");
    }
}

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    let within =
        |macros: &str, times: usize| (0..times).fold("true".to_owned(), |inner, _| macros.replace('#', &inner));
    for text in [
        format!("{}1 == 1", "1 + ".repeat(400)),
        format!("{}true", "true ? true : ".repeat(120)),
        format!("params.a{} == 1", ".size()".repeat(200)),
        "[".repeat(2_000),
        "{".repeat(2_000),
        "size(".repeat(400),
        within("request.tags.all(t, #)", 4),
        "true || ".repeat(300) + "true",
    ] {
        let _ = Expression::read(&text).map(|read| panic!("{text}: {read:?}"));
    }
    for idle in [
        format!("{}true{}", "(".repeat(900), ")".repeat(900)),
        format!("{}true", "!".repeat(1_900)),
        format!("1 == {}1", "-".repeat(1_900)),
    ] {
        assert_eq!(evaluate(&idle, &request()), Ok(true), "nothing comes of these");
    }
    let wide = "request.model == \"a-model\" || ".repeat(60) + "request.stream";
    assert_eq!(evaluate(&wide, &request()), Ok(true), "many of them beside each other are not deep");
    assert_eq!(evaluate(&within("request.tags.all(t, #)", 3), &request()), Ok(true));
}

/// The request is a stranger's, so its size must not decide how long an expression takes.
#[test]
fn however_large_the_request_an_expression_gives_up_after_some_steps() {
    let mut large = request();
    large.0["params"]["messages"] = (0..300_000).map(|number| json!(number)).collect();
    large.0["params"]["some"] = (0..5_000).map(|number| json!({ "number": number })).collect();
    large.0["params"]["text"] = "a".repeat(50_000_000).into();
    for text in [
        "size(params.messages) > 1",
        "params.some.all(a, params.some.all(b, a != 1 || b != 2))",
        "params.some.exists(a, params.some.exists(b, params.some.exists(c, c == 1)))",
        "size(params.some.map(a, params.some.map(b, b))) == 0",
        "size(params.some.map(a, true, params.some.map(b, false, b))) == 0",
        "size(params.some.filter(a, size(params.some.filter(b, b == a)) > 9)) == 0",
        "params.some.exists_one(a, params.some.exists_one(b, a == b))",
        "params.some.map(a, a.number).all(a, params.some.map(b, b.number).all(b, a >= 0 || b >= 0))",
        "params.some.all(a, !params.text.contains(string(a.number)))",
        "params.some.all(a, !(a in params.some) || a.number >= 0)",
        "params.some.all(a, [0, 1, 2, 3, 4, 5, 6, 7, 8].all(b, [0, 1, 2, 3, 4, 5, 6, 7, 8].all(c, a.number + b + c >= 0)))",
    ] {
        let failure = evaluate(text, &large).expect_err(text);
        let why = failure.why();
        assert!(why.contains("more than 50000 steps"), "{text}: {why}");
    }
    assert_eq!(evaluate("size(params.some) == 5000 && params.some.all(a, a.number >= 0)", &large), Ok(true));
}

#[test]
fn what_can_never_fit_is_refused_with_its_place() {
    for (text, what) in [
        ("request.model && true", "`request.model` is a text, and `&&` takes true or false"),
        ("!request.model", "`request.model` is a text, and `!` takes true or false"),
        ("request.batch_size > \"1\"", "in `request.batch_size > \"1\"`, a whole number and a text"),
        ("2 > 1 > 0", "in `2 > 1 > 0`, true or false and a whole number"),
        ("\"a\"*3 == \"aaa\"", "`\"a\"` is a text, and `*` takes a whole number"),
        ("request.model.startsWith(1)", "`1` is a whole number, and `startsWith` takes a text"),
        ("size(request.batch_size) > 1", "`request.batch_size` is a whole number, and `size` takes a text"),
        ("request.model == 1", "in `request.model == 1`, a text and a whole number"),
        ("request.tags == \"x\"", "in `request.tags == \"x\"`, a list and a text"),
        ("request.model == null", "a text and null"),
        ("\"x\" in request.model", "`request.model` is a text, and `in` takes a list or an object"),
        ("request.model in [\"a\", 1]", "in `request.model in [\"a\", 1]`, a text and a whole number"),
        ("request.batch_size + 1.5 > 2", "a whole number and a number with a fraction"),
        ("request.batch_size % 1.5 > 2", "`1.5` is a number with a fraction, and `%` takes"),
        ("-request.model == \"x\"", "`request.model` is a text, and `-` takes"),
        ("headers[\"x-age\"] > 40", "in `headers.x-age > 40`, a text and a whole number"),
        ("request.tags < [1]", "`request.tags` is a list, and `<` takes"),
        ("request.tags[\"a\"] == 1", "`\"a\"` is a text, and `[…]` takes"),
        ("request.model.matches(\"a\").size() == 1", "is true or false, and `size` takes"),
        ("request.batch_size.matches(\"1\")", "`request.batch_size` is a whole number, and `matches` takes a text"),
        ("request.model.name == 1", "`request.model` is a text, which has no members"),
        ("request.model.exists(c, c == \"x\")", "`request.model` is a text, which has no items"),
        ("request.tags.exists(t, request.model)", "`request.model` is a text, and `||` takes true or false"),
        ("request.tags.all(t, !(has(params.a) + 1))", "`has(params.a)` is true or false, and `+` takes"),
        ("int(request.tags) == 1", "`request.tags` is a list, and `int` takes"),
        ("(params.a + \"x\") && true", "`params.a + \"x\"` is a text, and `&&` takes true or false"),
        ("(request.stream ? 1 : 2) == \"x\"", "in `request.stream ? 1 : 2 == \"x\"`, a whole number and a text"),
        ("type(params.a) == \"list\"", "in `type(params.a) == \"list\"`, a type and a text"),
        ("(", "expecting expression"),
        ("true && é", "column 9 of it: unexpected character"),
        ("optional.of(1) == 1", "there is no `optional`"),
    ] {
        let mistake = Expression::read(text).expect_err(text);
        assert!(mistake.what.contains(what), "{text}: {mistake:?}");
        assert!(!mistake.what.contains("attempt limit") && !mistake.help.is_empty(), "{text}: {mistake:?}");
    }
    for deep in [format!("{}1{} == 1", "size([".repeat(40), "])".repeat(40)), "[".repeat(2_000)] {
        let mistake = Expression::read(&deep).expect_err(&deep);
        assert!(mistake.what.contains("more than 32 deep"), "{mistake:?}");
    }
}

#[test]
fn what_only_a_request_tells_is_taken_as_it_is() {
    for text in [
        "params.a && !metadata.b || params.c > \"x\" || params.c > 1",
        "request.user == \"x\" || request.user == 7",
        "metadata.age == 41 || metadata.age == \"41\"",
        "params.a + 1 > params.b * 2.5",
        "request.batch_size == 1.0 && request.batch_size > 1u && params.a == null",
        "request.tags.exists(t, t == \"x\" || t > 1)",
        "request.tags.exists(metadata, metadata == \"eu\")",
        "params.a[0].b in params.c && params.a.size() > 1",
    ] {
        let _ = Expression::read(text).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"));
    }
}

/// Looking for a pattern takes longer than looking at a text, by how much of it is repeated.
#[test]
fn a_pattern_takes_steps_by_what_it_costs() {
    let text = |kib: usize| {
        let mut large = request();
        large.0["params"]["messages"] = json!([{ "role": "user", "content": "x".repeat(kib * 1_024) }]);
        large
    };
    let asking = |pattern: &str| format!("params.messages.exists(m, m.content.matches({pattern:?}))");
    let plain = asking(r"(?i)\b(secret|confidential)\s+(project|code)\b");
    let card = asking(r"(?-u:\b)(?:[0-9][ -]*){13,16}(?-u:\b)");
    assert_eq!(evaluate(&plain, &text(1_000)), Ok(false));
    assert_eq!(evaluate(&card, &text(300)), Ok(false));
    for (slow, kib) in [(plain, 20_000), (card, 20_000), (asking("(x{1,30}){1,30}y"), 100), (asking("x.{500}y"), 200)] {
        let failure = evaluate(&slow, &text(kib)).expect_err(&slow);
        let why = failure.why();
        assert!(why.contains("more than 50000 steps"), "{slow}: {why}");
    }
}

#[test]
fn what_a_variable_of_a_macro_holds_is_counted_wherever_it_is_looked_at() {
    let mut large = request();
    large.0["params"]["messages"] = json!([{ "content": "x".repeat(2 << 20) }]);
    for look in ["!m.content.contains(\"y\")", "m.content + \"a\" != \"\"", "size(m) > 0"] {
        let text = format!("params.messages.all(m, [{}].all(c, {look}))", ["1"; 60].join(", "));
        let failure = evaluate(&text, &large).expect_err(&text);
        let why = failure.why();
        assert!(why.contains("more than 50000 steps"), "{text}: {why}");
    }
}

/// What counts the steps of all expressions.
struct Together(Request, Taken);

impl Facts for Together {
    fn fact(&self, path: &str) -> Option<Cow<'_, Value>> {
        self.0.fact(path)
    }

    fn taken(&self) -> Option<&Taken> {
        Some(&self.1)
    }
}

#[test]
fn all_expressions_of_a_request_together_have_a_bound() {
    let mut large = request();
    large.0["params"]["some"] = (0..60_000).map(|number| json!(number)).collect();
    let request = Together(large, Taken::default());
    let (slow, quick) =
        (Expression::read("size(params.some) > 1").unwrap(), Expression::read("request.stream").unwrap());
    for _ in 0..4 {
        assert_eq!(slow.evaluate(&request), Err(Failure::TooMuch("it takes more than 50000 steps".to_owned())));
    }
    let together = Err(Failure::TooMuch("all expressions together take more than 200000 steps".to_owned()));
    assert_eq!((slow.evaluate(&request), quick.evaluate(&request)), (together.clone(), together));
}

const PIECES: &[&str] = &[
    "request.model",
    "request.tags",
    "request.stream",
    "params.messages",
    "params.a[\"b.c\"]",
    "metadata",
    "metadata.x",
    "headers[\"x\"]",
    "time.hour",
    "t",
    "t.x",
    "1",
    "2u",
    "3.5",
    "-9223372036854775808",
    "9223372036854775807",
    "0",
    "\"a\"",
    "b\"\\xff\"",
    "'''x'''",
    "r'\\'",
    "true",
    "null",
    "[]",
    "{}",
    "{1: 2}",
    "int",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ".",
    ",",
    " ",
    ":",
    " ? ",
    " && ",
    " || ",
    "!",
    "-",
    " == ",
    " != ",
    " < ",
    " >= ",
    " + ",
    " - ",
    " * ",
    " / ",
    " % ",
    " in ",
    "has(",
    "size(",
    "int(",
    "uint(",
    "double(",
    "string(",
    "bool(",
    "type(",
    ".matches(\"a|b\")",
    ".startsWith(\"a\")",
    ".contains(",
    ".all(t, ",
    ".exists(t, ",
    ".exists_one(t, ",
    ".map(t, ",
    ".filter(t, ",
    ".?a",
    "[?0]",
    "`a`",
    "é",
    "\\",
    "\n",
    "//",
    "@turn",
    "?",
    "0x1f",
    "1e309",
];

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![9 => prop::sample::select(PIECES).prop_map(str::to_owned), 1 => "\\PC{0,4}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_pieces_of_expressions_are_refused_or_evaluated(pieces in prop::collection::vec(piece(), 0..14)) {
        if let Ok(expression) = Expression::read(&pieces.concat()) {
            let _ = expression.evaluate(&request());
        }
    }

    #[test]
    fn any_operators_between_any_values_are_evaluated(
        values in prop::collection::vec(prop::sample::select(vec![
            "request.model", "request.tags", "params.messages", "metadata", "time.hour", "params.temperature", "params.seed",
            "params.user", "(0 - 9223372036854775807 - 1)", "9223372036854775807", "-1", "0", "1u", "0.0", "1e300", "\"a\"",
            "[1, \"a\"]", "{\"a\": 1}", "int", "int(1e300)", "uint(-1)", "int(params.seed)", "-params.seed", "request.tags[-1]",
            "request.tags[0.5]", "metadata[1]", "string(b\"\\xff\")", "size(\"é\")", "double(\"x\")", "type(null)",
        ]), 2..5),
        operators in prop::collection::vec(
            prop::sample::select(vec!["+", "-", "*", "/", "%", "<", ">=", "==", "!=", "in", "&&", "||"]), 4),
    ) {
        let mut text = String::new();
        for (index, value) in values.iter().enumerate() {
            text = if index == 0 { (*value).to_owned() } else { format!("({text} {} {value})", operators[index - 1]) };
        }
        if let Ok(expression) = Expression::read(&format!("{text} == 1")) {
            let _ = expression.evaluate(&request());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = Expression::read(&text).map(|expression| expression.evaluate(&request()));
    }
}
