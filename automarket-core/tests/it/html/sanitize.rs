//! What is embedded runs nothing.

use automarket_core::html::sanitize;

#[test]
fn nothing_that_runs_is_left() {
    let cases = [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href='java&#10;script&colon;alert(1)'>x</a>",
        "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
        "<iframe src=//evil></iframe>",
        "<svg><style><img src=x onerror=alert(1)></style></svg>",
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        "<style>@import 'x'</style><p style='background:url(x)'>t</p>",
        "<form action=x><input><button formaction=javascript:alert(1)>b</button></form>",
        "<base href=//evil><meta http-equiv=refresh content=0><link rel=stylesheet href=x>",
        "<scr<script>ipt>alert(1)</scr</script>ipt>",
        "<img/src=`x`onerror=alert(1)>",
        "<q cite='javascript:1'>x</q><blockquote cite='javascript:1'>x</blockquote>",
        "<del cite='javascript:1'>x</del><ins cite='javascript:1'>x</ins>",
        "\u{fdd1}script\u{fdd2}alert(1)\u{fdd1}/script\u{fdd2}",
    ];
    for html in cases {
        let clean = sanitize(html).to_lowercase();
        for bad in [
            "<script", "<iframe", "<style", "<svg", "<math", "<form", "<base", "<meta", "<link",
            "<input", "style=",
        ] {
            assert!(!clean.contains(bad), "{html} gave {clean}");
        }
        for bad in ["\"javascript:", "\"java", "\"data:"] {
            assert!(!clean.contains(bad), "{html} gave {clean}");
        }
        // In texts and in values these words are harmless; as names of attributes they are not.
        for tag in clean
            .split('<')
            .skip(1)
            .filter_map(|rest| rest.split('>').next())
        {
            let names: String = tag.split('"').step_by(2).collect();
            for bad in ["onerror", "formaction"] {
                assert!(!names.contains(bad), "{html} gave {clean}");
            }
        }
    }
}

#[test]
fn what_is_harmless_stays() {
    let html = "<h2>Hi</h2><p>a <b>b</b> &amp; <i>c</i> &lt;d&gt;<br><a href=\"https://acme.example/?a=1&amp;b=2\">e</a></p>";
    let clean = sanitize(html);
    assert_eq!(
        clean,
        "<h2>Hi</h2><p>a <b>b</b> &amp; <i>c</i> &lt;d&gt;<br><a href=\"https://acme.example/?a=1&amp;b=2\" rel=\"noopener noreferrer\">e</a></p>"
    );
    assert_eq!(sanitize(&clean), clean);
    assert_eq!(sanitize(""), "");
}
