//! The HTML and Markdown pages: templates compiled in, filled from the view.

use std::sync::LazyLock;

use tera::{Context, Kwargs, State, Tera};

use super::view::View;

static TEMPLATES: LazyLock<Tera> = LazyLock::new(|| {
    let mut tera = Tera::default();
    tera.register_filter("md", |text: &str, _: Kwargs, _: &State| markdown_text(text));
    tera.register_filter("code", |text: &str, _: Kwargs, _: &State| markdown_code(text));
    tera.register_filter("line", |text: &str, _: Kwargs, _: &State| one_line(text));
    tera.register_filter("json", |text: &str, _: Kwargs, _: &State| serde_json::Value::from(text).to_string());
    tera.add_raw_templates([
        ("style.css", include_str!("../../templates/style.css")),
        ("parts/decision.html", include_str!("../../templates/parts/decision.html.tera")),
        ("parts/criteria.html", include_str!("../../templates/parts/criteria.html.tera")),
        ("parts/chart.html", include_str!("../../templates/parts/chart.html.tera")),
        ("parts/improvements.html", include_str!("../../templates/parts/improvements.html.tera")),
        ("parts/comparisons.html", include_str!("../../templates/parts/comparisons.html.tera")),
        ("parts/timeline.html", include_str!("../../templates/parts/timeline.html.tera")),
        ("parts/figures.html", include_str!("../../templates/parts/figures.html.tera")),
        ("parts/matrix.html", include_str!("../../templates/parts/matrix.html.tera")),
        ("parts/regressions.html", include_str!("../../templates/parts/regressions.html.tera")),
        ("parts/tests.html", include_str!("../../templates/parts/tests.html.tera")),
        ("parts/notes.html", include_str!("../../templates/parts/notes.html.tera")),
        ("parts/completion.html", include_str!("../../templates/parts/completion.html.tera")),
        ("parts/validation.html", include_str!("../../templates/parts/validation.html.tera")),
        ("parts/stages.html", include_str!("../../templates/parts/stages.html.tera")),
        ("parts/quality.html", include_str!("../../templates/parts/quality.html.tera")),
        ("parts/method.html", include_str!("../../templates/parts/method.html.tera")),
        ("parts/inputs.html", include_str!("../../templates/parts/inputs.html.tera")),
        ("status.html", include_str!("../../templates/status.html.tera")),
        ("report.html", include_str!("../../templates/report.html.tera")),
        ("report.md", include_str!("../../templates/report.md.tera")),
        ("request.md", include_str!("../../templates/request.md.tera")),
    ])
    .expect("the templates are part of the program");
    tera
});

fn render(template: &str, view: &impl serde::Serialize) -> String {
    let context = Context::from_serialize(view).expect("a view has only string keys");
    TEMPLATES.render(template, &context).unwrap_or_else(|error| panic!("{template} does not fit the view: {error}"))
}

/// report.html
pub fn html(view: &View<'_>) -> String {
    render("report.html", view)
}

/// report.md
pub fn markdown(view: &View<'_>) -> String {
    render("report.md", view)
}

/// index.html of the status dashboard
pub fn status(view: &super::dashboard::Dashboard) -> String {
    render("status.html", view)
}

/// REQUEST.md of a bundle
pub fn request(view: &impl serde::Serialize) -> String {
    render("request.md", view)
}

/// Text from outside inside a fenced block: one line, which cannot end the block.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_invisible(c) { ' ' } else { c }).collect()
}

/// Whether a character can turn the direction of a text or hide in it.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Text from outside, so that Markdown shows it as it is: marks escaped, one line.
fn markdown_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => escaped.push(' '),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '+' | '|' | '~' | '@' => {
                escaped.push('\\');
                escaped.push(character);
            }
            hidden if is_invisible(hidden) => escaped.push('\u{fffd}'),
            plain => escaped.push(plain),
        }
    }
    // GitHub makes links of bare addresses.
    escaped.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// Text from outside as a code span: no mark inside it is read, and a pipe ends no table cell.
fn markdown_code(text: &str) -> String {
    let clean: String = text.chars().map(|c| if is_invisible(c) { ' ' } else { c }).collect();
    let clean = clean.replace('|', "\\|");
    let longest = clean.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    format!("{fence} {clean} {fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_shown_and_not_read() {
        assert_eq!(markdown_text("<img src=x>|[a](http://b)\n# c"), "&lt;img src=x&gt;\\|\\[a\\](http&#58;//b) \\# c");
        assert_eq!(markdown_text("www.x.y a@b"), "www&#46;x.y a\\@b");
        assert_eq!(markdown_text("a\u{202e}b"), "a\u{fffd}b");
        assert_eq!(markdown_code("a`|``b"), "``` a`\\|``b ```");
    }
}
