//! The program `probe`, with lines as they come from outside.

use std::{
    io::Write as _,
    process::{Output, Stdio},
};

use serde_json::Value;

fn probe(input: &[u8]) -> Output {
    let mut command = crate::quickstart::example("probe");
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(input).unwrap();
    process.wait_with_output().unwrap()
}

#[test]
fn each_line_is_answered_in_its_place_however_odd_it_is() {
    let odd: [&[u8]; 10] = [
        b"",
        b"  \t ",
        b"not JSON",
        b"\xFF\xFE",
        b"[{\"op\":\"length\"}]",
        b"{\"id\":5}",
        b"{\"id\":6,\"op\":\"no-such-op\"}",
        b"{\"id\":7,\"op\":\"length\",\"platform\":\"nobody\",\"text\":\"hi\"}",
        b"{\"id\":8,\"op\":\"length\",\"platform\":\"x\",\"text\":\"hi\"}\r",
        // The last one has no end.
        b"{\"id\":9",
    ];
    let output = probe(&odd.join(&b'\n'));
    assert!(output.status.success(), "{:?}", output.status);
    assert!(output.stderr.is_empty());
    let text = String::from_utf8(output.stdout).unwrap();
    let replies: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: Vec<&Value> = replies.iter().map(|reply| &reply["id"]).collect();
    let null = Value::Null;
    let numbers: Vec<Value> = (5..=8).map(Value::from).collect();
    let [five, six, seven, eight] = numbers.as_slice() else {
        unreachable!()
    };
    assert_eq!(
        ids,
        [
            &null, &null, &null, &null, &null, five, six, seven, eight, &null
        ]
    );
    let good: Vec<bool> = replies.iter().map(|reply| reply["ok"] == true).collect();
    assert_eq!(good, (0..10).map(|n| n == 8).collect::<Vec<_>>());
}

#[test]
fn no_input_has_no_answer() {
    let output = probe(b"");
    assert!(output.status.success() && output.stdout.is_empty());
    let output = probe(b"\n");
    assert_eq!(output.stdout.iter().filter(|b| **b == b'\n').count(), 1);
}
