//! What is read from good and bad lines.

use super::*;

fn read(bytes: &[u8]) -> Vec<Line> {
    Reader::new(bytes, ReadOptions::default())
        .collect::<Result<_, _>>()
        .expect("memory can be read")
}

fn only(line: &str) -> Line {
    let mut items = read(line.as_bytes());
    assert_eq!(items.len(), 1, "{line}");
    items.remove(0)
}

#[test]
fn a_good_line_is_a_request() {
    let item = only(
        r#"{"id": "x", "principle": "p", "prompt": "q", "responses": {"b": "1", "a": ""}, "gold": [1]}"#,
    );
    let Content::Named(id, Ok(item)) = item.content else {
        panic!("{item:?}")
    };
    let Item { request, gold, .. } = *item;
    assert_eq!(id, Id::Text("x".to_owned()));
    let names: Vec<_> = request
        .responses()
        .iter()
        .map(|response| response.name.as_str())
        .collect();
    assert_eq!(names, ["b", "a"], "the order of the file is kept");
    assert_eq!(
        gold,
        Err("gold must be an object, found a list".to_owned()),
        "judging needs none"
    );
}

#[test]
fn lines_without_an_id_of_their_own_are_kept_as_broken() {
    let check = |line: &str, expect: &str| match only(line).content {
        Content::Broken(why) => assert!(why.contains(expect), "{line}: {why}"),
        Content::Named(id, _) => panic!("{line}: read as the item {id}"),
    };
    check("no json", "expected a JSON object");
    check("[1]", "expected a JSON object");
    check(r#"{"id": "x""#, "not an item");
    check(r#"{"id": "x"} {"id": "y"}"#, "trailing characters");
    check(r#"{"id": "x", "id": "y"}"#, "duplicate field");
    check(r#"{"principle": "p"}"#, "the id is missing");
    check(r#"{"id": null}"#, "the id is missing");
    check(r#"{"id": 1.5}"#, "found a number");
    check(r#"{"id": ["x"]}"#, "found a list");
}

#[test]
fn an_unusable_request_keeps_its_id_and_names_the_field() {
    let check = |rest: &str, expect: &str| {
        let line = format!(r#"{{"id": 7{rest}}}"#);
        match only(&line).content {
            Content::Named(Id::Number(_), Err(why)) => assert!(why.contains(expect), "{line}: {why}"),
            other => panic!("{line}: {other:?}"),
        }
    };
    check("", "principle is missing");
    check(
        r#", "principle": 3"#,
        "principle must be a string, found a number",
    );
    check(r#", "principle": "p""#, "prompt is missing");
    check(r#", "principle": "p", "prompt": null"#, "prompt is missing");
    check(r#", "principle": "p", "prompt": "q""#, "responses is missing");
    for other in [r#"["a"]"#, r#""a""#, "1", "-1", "1.5", "true"] {
        check(
            &format!(r#", "principle": "p", "prompt": "q", "responses": {other}"#),
            "an object",
        );
    }
    check(
        r#", "principle": "p", "prompt": "q", "responses": {"a": {}}"#,
        "responses.a must be a string, found an object",
    );
    check(
        r#", "principle": "p", "prompt": "q", "responses": {}"#,
        "responses",
    );
    check(
        r#", "principle": " ", "prompt": "q", "responses": {"a": "x"}"#,
        "principle",
    );
    check(
        r#", "principle": "p", "prompt": "q", "responses": {"a": "x", "a": "y"}"#,
        "a",
    );
}

#[test]
fn blank_lines_count_but_are_no_items() {
    let items = read("\u{feff}\n  \r\n{\"id\": 1}\r\n\n{\"id\": 1}\nnot \u{fe}\n".as_bytes());
    let lines: Vec<_> = items.iter().map(|line| line.number).collect();
    assert_eq!(lines, [3, 5, 6]);
    let Content::Broken(why) = &items[1].content else {
        panic!("{items:?}")
    };
    assert_eq!(why, "the id 1 is taken by line 3");
    assert_eq!(items[1].number, 5);
}

#[test]
fn bytes_that_are_no_text_break_only_their_line() {
    let items = read(b"\xff\xfe\n{\"id\": \"x\"}");
    assert!(matches!(&items[0].content, Content::Broken(why) if why.contains("not UTF-8")));
    assert!(matches!(&items[1].content, Content::Named(Id::Text(id), _) if id == "x"));
}

#[test]
fn a_number_and_its_text_are_two_ids() {
    let items = read(b"{\"id\": 7}\n{\"id\": \"7\"}");
    assert!(
        items
            .iter()
            .all(|line| matches!(line.content, Content::Named(..)))
    );
}

#[test]
fn listed_responses_go_by_name_or_model_or_place() {
    let (_, responses) = prompt_and_responses(
        r#"{"prompt": "q", "id": 1, "responses": [
            {"text": "1", "model": "m"}, {"text": "2"}, {"text": "3", "model": "m"}, {"text": "4", "model": ""},
            {"text": "5", "model": "m", "name": "n"}]}"#,
    )
    .expect("a record");
    let names: Vec<_> = responses.iter().map(|response| response.name.as_str()).collect();
    assert_eq!(names, ["m", "response-2", "response-3", "response-4", "n"]);
}

#[test]
fn a_given_principle_stands_in_for_the_items_own() {
    let line = r#"{"id": "x", "prompt": "q", "principle": 3, "responses": {"a": "1"}}"#;
    let options = ReadOptions {
        principle: Some("given".to_owned()),
        ..ReadOptions::default()
    };
    let read: Vec<Line> = Reader::new(line.as_bytes(), options)
        .collect::<Result<_, _>>()
        .expect("memory can be read");
    assert!(matches!(&read[0].content, Content::Named(_, Ok(item)) if item.request.principle() == "given"));
}

#[test]
fn gold_that_says_something_twice_is_refused() {
    let check = |gold: &str, expect: &str| {
        let line = format!(
            r#"{{"id": 1, "principle": "p", "prompt": "q", "responses": {{"a": "x", "b": "y"}}, "gold": {gold}}}"#
        );
        let Content::Named(_, Ok(item)) = only(&line).content else {
            panic!("{line}")
        };
        assert_eq!(item.gold, Err(expect.to_owned()), "{line}");
    };
    check(
        r#"{"scores": {"a": 5, "b": 1, "a": 1}}"#,
        "gold.scores: \"a\" is given twice",
    );
    check(
        r#"{"scores": {"a": 5, "b": 1}, "scores": {"a": 1, "b": 5}}"#,
        "gold: \"scores\" is given twice",
    );
    check(r#"{"scores": {"a": 5}}"#, "gold.scores has no score for \"b\"");
    check(
        r#"{"scores": {"a": 5, "b": "1"}}"#,
        "gold.scores.b must be a number, found a string",
    );
}

#[test]
fn a_request_needs_no_id_and_looks_at_nothing_else() {
    let ask = Ask::read(
        br#"{"principle": "p", "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
            "responses": [{"text": "x"}], "gold": 7, "domain": [1]}"#,
    )
    .expect("an object");
    assert_eq!(ask.id, None);
    let request = ask.request.expect("a request");
    assert_eq!(request.prompt(), "System: s\n\nUser: u");
    assert_eq!(request.responses()[0].name, "response-1");
    let check = |body: &str, expect: &str| {
        let said = match Ask::read(body.as_bytes()) {
            Err(why) => why,
            Ok(ask) => ask.request.map_or_else(|why| why, |_| "fine".to_owned()),
        };
        assert!(said.contains(expect), "{body}: {said}");
    };
    let with = |responses: &str| format!(r#"{{"principle":"p","prompt":"q","responses":{responses}}}"#);
    check(&with(r#"{"a":"x","b":""}"#), "fine");
    check(
        &with(r#"[{"text":"x"},{"text":"y","model":"m"},{"text":"z","model":"m"}]"#),
        "fine",
    );
    check(&with(r#"{"a":"x","a":"y"}"#), "responses[1].name");
    check(
        &with(r#"{"a":3}"#),
        "responses.a must be a string, found a number",
    );
    check(
        &with(r#"[{"text":"x","text":"y"}]"#),
        "responses[0]: \"text\" is given twice",
    );
    check(&with("7"), "responses must be an object");
    check(&with("null"), "responses is missing");
    check(&with("{}"), "responses: expected something");
    check("[1]", "expected a JSON object");
    check("{", "not an item");
    check(r#"{"id": 1.5}"#, "the id must be");
    check(r#"{"version": 2}"#, "version must be 1");
    check(r#"{"principle": "p"}"#, "prompt is missing");
}
