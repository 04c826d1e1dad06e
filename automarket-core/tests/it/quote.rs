use automarket_core::{Url, http::segment, quote};
use proptest::prelude::*;

#[test]
fn graphql_strings() {
    for (value, literal) in [
        ("", r#""""#),
        ("plain é 日本 🦀", r#""plain é 日本 🦀""#),
        (r#"a"b\c/d"#, r#""a\"b\\c/d""#),
        ("\u{8}\u{C}\n\r\t", r#""\b\f\n\r\t""#),
        ("\0\u{1B}\u{7F}\u{85}", r#""\u0000\u001B\u007F\u0085""#),
        ("\u{2028}\u{FEFF}", r#""\u2028\uFEFF""#),
        (r#"""" { drop }"#, r#""\"\"\" { drop }""#),
    ] {
        assert_eq!(quote::graphql(value), literal);
    }
}

#[test]
fn path_segments_that_are_none() {
    for value in ["", ".", "..", "a\0", "a\nb", "\u{7F}"] {
        assert!(segment(value).is_err(), "{value:?}");
    }
}

proptest! {
    // JSON reads every escape that GraphQL has.
    #[test]
    fn graphql_gives_the_value_back(value in "(?s).{0,60}") {
        let literal = quote::graphql(&value);
        prop_assert!(!literal.contains(char::is_control));
        prop_assert_eq!(serde_json::from_str::<String>(&literal).unwrap(), value);
    }

    #[test]
    fn a_path_segment_stays_one(value in "\\PC{1,20}|[./%?#\\\\a]{1,6}") {
        prop_assume!(value != "." && value != "..");
        let segment = segment(&value).unwrap();
        let url = Url::parse(&format!("https://acme.dev/a/{segment}/b?x#y")).unwrap();
        let segments: Vec<&str> = url.path_segments().unwrap().collect();
        prop_assert_eq!(segments, ["a", segment.as_str(), "b"]);
        let form = segment.replace('+', "%2B");
        let (decoded, _) = url::form_urlencoded::parse(form.as_bytes()).next().unwrap();
        prop_assert_eq!(decoded, value);
    }
}
