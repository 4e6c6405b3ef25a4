//! What `stagegate check` tells people elsewhere: Markdown for a merge request or a job's summary, blocks for a chat.

use serde::Serialize;
use serde_json::{Value, json};

use super::escape::is_invisible;
use super::page::Page;
use super::templates::render;
use super::terminal;
use crate::report::model::{DecisionValue, Report};

/// Reasons that a chat shows.
const MOST_LINES: usize = 5;
/// Slack's limits, in characters; a section holds a title, a mark of simulated data and a sentence.
const HEADER: usize = 150;
const SECTION: usize = 3000;
const TITLE: usize = 500;
const FIELD: usize = 2000;
const MOST_FIELDS: usize = 10;

#[derive(Serialize)]
struct Summary<'a> {
    #[serde(flatten)]
    page: &'a Page<'a>,
    mark: &'static str,
    link: Option<&'a str>,
}

fn mark(decision: DecisionValue) -> &'static str {
    match decision {
        DecisionValue::Go => "✅",
        DecisionValue::Incomplete => "⏳",
        DecisionValue::Review => "⚠️",
        DecisionValue::NoGo => "⛔",
        DecisionValue::Rollback => "⏪",
    }
}

/// `--format markdown`; `link` is the address of the whole report.
pub fn markdown(report: &Report, link: Option<&str>) -> String {
    let page = Page::new(report, &[], false);
    render("check.md", &Summary { page: &page, mark: mark(report.decision.value), link })
}

/// Text for Slack: its three marks escaped, cut at a length.
fn escaped(text: &str, most: usize) -> String {
    let (mut short, mut length) = (String::new(), 0);
    for character in text.chars() {
        let next = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            hidden if is_invisible(hidden) => " ",
            _ => "",
        };
        // The longest escape, and the dots.
        if length + 6 > most {
            short.push('…');
            break;
        }
        if next.is_empty() {
            short.push(character)
        } else {
            short.push_str(next)
        }
        length += next.len().max(1);
    }
    short
}

/// `--format slack`: a message of blocks; `link` is the address of the whole report.
pub fn slack(report: &Report, link: Option<&str>) -> String {
    let section = |text: String| json!({"type": "section", "text": {"type": "mrkdwn", "text": text}});
    let heading = format!("{} {}", mark(report.decision.value), terminal::decision_line(report));
    // A header is plain text, which is not escaped.
    let plain: String = heading.chars().filter(|character| !is_invisible(*character)).take(HEADER).collect();
    let mut blocks = vec![json!({"type": "header", "text": {"type": "plain_text", "text": plain, "emoji": true}})];
    let mut lines: Vec<String> = vec![format!("*{}*", escaped(&report.title, TITLE))];
    lines.extend(
        report.simulated.iter().map(|told| format!("_simulated data, not a measurement: {}_", escaped(told, TITLE))),
    );
    lines.extend(report.summary.first().map(|sentence| escaped(sentence, SECTION - 3 * TITLE)));
    blocks.push(section(lines.join("\n")));
    let reasons = &report.decision.reasons;
    if !reasons.is_empty() {
        let mut listed: Vec<String> = reasons
            .iter()
            .take(MOST_LINES)
            .map(|reason| format!("• {}", escaped(&reason.text, SECTION / (MOST_LINES + 1))))
            .collect();
        if reasons.len() > MOST_LINES {
            listed.push(format!("• and {} more", reasons.len() - MOST_LINES));
        }
        blocks.push(section(listed.join("\n")));
    }
    let fields: Vec<Value> = report
        .headlines
        .iter()
        .take(MOST_FIELDS)
        .map(|line| json!({"type": "mrkdwn", "text": escaped(&terminal::headline_text(report, line), FIELD)}))
        .collect();
    if !fields.is_empty() {
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    if let Some(link) = link {
        let button = json!({"type": "button", "text": {"type": "plain_text", "text": "Full report"}, "url": link});
        blocks.push(json!({"type": "actions", "elements": [button]}));
    }
    format!("{:#}\n", json!({"text": escaped(&format!("{heading}: {}", report.title), SECTION), "blocks": blocks}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_can_call_nobody_and_is_cut_between_marks() {
        assert_eq!(escaped("<!channel> & <@U1>\n", 100), "&lt;!channel&gt; &amp; &lt;@U1&gt; ");
        let cut = escaped(&"&".repeat(100), 30);
        assert!(cut.chars().count() <= 30 && cut.ends_with("&amp;…"), "{cut}");
    }
}
