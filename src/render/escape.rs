//! Text from outside, so that it is shown and not read: in Markdown, XML and on a terminal. The templates escape for
//! HTML by themselves.

/// Text from outside inside a fenced block: one line, which cannot end the block.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_invisible(c) { ' ' } else { c }).collect()
}

/// Whether a character can turn the direction of a text or hide in it.
pub(super) fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Text from outside, so that Markdown shows it as it is: marks escaped, one line.
pub(super) fn markdown_text(text: &str) -> String {
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
pub(super) fn markdown_code(text: &str) -> String {
    let clean: String = text.chars().map(|c| if is_invisible(c) { ' ' } else { c }).collect();
    let clean = clean.replace('|', "\\|");
    let longest = clean.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    format!("{fence} {clean} {fence}")
}

/// Text of this program for HTML, what stands between back-ticks as code.
pub(super) fn html_with_code(text: &str) -> String {
    with_code(text, xml, |code| format!("<code>{}</code>", xml(code)))
}

/// The same for Markdown.
pub(super) fn markdown_with_code(text: &str) -> String {
    with_code(text, markdown_text, markdown_code)
}

fn with_code(text: &str, plain: impl Fn(&str) -> String, code: impl Fn(&str) -> String) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    // Without its partner a back-tick is a character like others.
    if parts.len().is_multiple_of(2) {
        return plain(text);
    }
    parts.iter().enumerate().map(|(index, part)| if index % 2 == 0 { plain(part) } else { code(part) }).collect()
}

/// Text in an XML attribute; characters that XML 1.0 does not have become replacement characters.
pub(super) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            hidden if is_invisible(hidden) => escaped.push('\u{fffd}'),
            plain => escaped.push(plain),
        }
    }
    escaped
}

/// Text from outside without what steers a terminal or turns the direction of a text.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if is_invisible(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// As `plain`, of a text whose own newlines count.
pub fn plain_lines(text: &str) -> String {
    text.lines().map(|line| plain(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_back_ticks_are_code_and_nothing_else_is_markup() {
        assert_eq!(html_with_code("Run `a <b>` & wait"), "Run <code>a &lt;b&gt;</code> &amp; wait");
        assert_eq!(html_with_code("one ` alone"), "one ` alone");
        assert_eq!(markdown_with_code("Run `a_b` *now*"), "Run ` a_b ` \\*now\\*");
    }

    #[test]
    fn hostile_text_is_shown_and_not_read() {
        assert_eq!(markdown_text("<img src=x>|[a](http://b)\n# c"), "&lt;img src=x&gt;\\|\\[a\\](http&#58;//b) \\# c");
        assert_eq!(markdown_text("www.x.y a@b"), "www&#46;x.y a\\@b");
        for shown in [markdown_text, xml, plain] {
            assert_eq!(shown("a\u{202e}b\u{7}"), "a\u{fffd}b\u{fffd}");
        }
        assert_eq!(markdown_code("a`|``b"), "``` a`\\|``b ```");
    }
}
