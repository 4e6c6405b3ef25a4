//! Markdown that people wrote -> HTML that can do nothing: no markup of its own, no picture, no link but to
//! the web, mail or the page. Safe by what it lets through, not by what it takes out.

use super::escape::is_invisible;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Nested blocks that are followed; a note is no place for more.
const MAX_DEPTH: usize = 40;

fn is_safe_link(target: &str) -> bool {
    let target = target.trim().to_ascii_lowercase();
    ["https://", "http://", "mailto:", "#"].iter().any(|scheme| target.starts_with(scheme))
}

/// HTML of a note. Raw HTML becomes text, pictures their alternative text, other links their text; headings
/// become bold lines, so that the page's own outline stays whole.
pub(super) fn to_html(markdown: &str) -> String {
    let parser =
        Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS);
    let mut links: Vec<bool> = Vec::new();
    let mut depth = 0_usize;
    let mut events: Vec<Event<'_>> = Vec::new();
    for event in parser {
        match event {
            Event::Html(text) | Event::InlineHtml(text) => events.push(Event::Text(text)),
            Event::Start(Tag::HtmlBlock) => events.push(Event::Start(Tag::Paragraph)),
            Event::End(TagEnd::HtmlBlock) => events.push(Event::End(TagEnd::Paragraph)),
            Event::Start(Tag::Heading { .. }) => {
                events.push(Event::Start(Tag::Paragraph));
                events.push(Event::Start(Tag::Strong));
            }
            Event::End(TagEnd::Heading(_)) => {
                events.push(Event::End(TagEnd::Strong));
                events.push(Event::End(TagEnd::Paragraph));
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let safe = is_safe_link(&dest_url);
                links.push(safe);
                if safe {
                    events.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
                }
            }
            Event::End(TagEnd::Link) => {
                if links.pop() == Some(true) {
                    events.push(Event::End(TagEnd::Link));
                }
            }
            Event::Start(Tag::Image { .. }) => events.push(Event::Text(CowStr::Borrowed("[picture: "))),
            Event::End(TagEnd::Image) => events.push(Event::Text(CowStr::Borrowed("]"))),
            Event::Start(tag) => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return "<p>This note is nested too deep to be shown.</p>".into();
                }
                events.push(Event::Start(tag));
            }
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                events.push(Event::End(tag));
            }
            other => events.push(other),
        }
    }
    let mut text = String::new();
    html::push_html(&mut text, events.into_iter());
    text
}

/// Markdown of a note inside report.md: a quotation, its raw HTML shown as text.
pub(super) fn to_quotation(markdown: &str) -> String {
    let visible = |line: &str| {
        let clean: String = line.chars().filter(|character| !is_invisible(*character)).collect();
        format!("> {}\n", clean.replace('<', "&lt;").replace("](javascript:", "](").replace("![", "["))
    };
    markdown.lines().map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_write_is_shown() {
        let html = to_html(
            "# Title\n\nSome *text* with `code`, a [link](https://a.b/c).\n\n* one\n* two\n\n| a | b |\n| - | - |\n| 1 | 2 |\n",
        );
        for part in [
            "<p><strong>Title</strong></p>",
            "<em>text</em>",
            "<code>code</code>",
            "<a href=\"https://a.b/c\">link</a>",
            "<li>one</li>",
            "<td>1</td>",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn what_could_act_is_text() {
        let hostile = "<script>alert(1)</script>\n\n<img src=x onerror=alert(1)> [a](javascript:alert(1)) [b](data:text/html,x) ![p](https://e.vil/p.png)\n\n<div onclick=x>\n\n[c]( JaVaScRiPt:x)";
        let html = to_html(hostile);
        for mark in ["<script", "<img", "href=\"javascript", "href=\"data", "<div", "https://e.vil"] {
            assert!(!html.contains(mark), "{mark} in {html}");
        }
        assert!(html.contains("&lt;script&gt;") && html.contains("[picture: p]"), "{html}");
        assert!(!to_quotation(hostile).contains('<'));
    }

    proptest! {
        #[test]
        fn only_harmless_elements_come_out(text in "[ -~\n]{0,400}") {
            let html = to_html(&text);
            for element in html.split('<').skip(1) {
                let name: String = element.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
                let harmless = ["p", "strong", "em", "code", "pre", "a", "ul", "ol", "li", "blockquote", "hr", "br", "table",
                    "thead", "tbody", "tr", "th", "td", "del", "input"];
                prop_assert!(harmless.contains(&name.as_str()), "<{}> from {:?}", name, text);
            }
            prop_assert!(!html.to_ascii_lowercase().contains("href=\"javascript"));
        }
    }
}
