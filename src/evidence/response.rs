//! The external reviewer's answer: Markdown in the form that REQUEST.md asks for, or JSON.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Position, Result, did_you_mean};

/// Characters of a comment or objection that are kept.
const MAX_TEXT: usize = 2000;
/// Objections that are kept.
const MAX_OBJECTIONS: usize = 200;

/// What the reviewer decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Approved,
    ApprovedWithObjections,
    Rejected,
}

impl Verdict {
    pub const ALL: [(&str, Self); 3] = [
        ("approved", Self::Approved),
        ("approved_with_objections", Self::ApprovedWithObjections),
        ("rejected", Self::Rejected),
    ];

    /// As the answer writes it.
    pub fn word(self) -> &'static str {
        word_of(&Self::ALL, self)
    }
}

/// What the reviewer says of one claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    Agree,
    Disagree,
    CannotTell,
}

impl Agreement {
    pub const ALL: [(&str, Self); 3] =
        [("agree", Self::Agree), ("disagree", Self::Disagree), ("cannot_tell", Self::CannotTell)];

    /// As the answer writes it.
    pub fn word(self) -> &'static str {
        word_of(&Self::ALL, self)
    }
}

fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}

/// The answer to one claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimAnswer {
    pub id: String,
    pub answer: Agreement,
    #[serde(default)]
    pub comment: String,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionAnswer {
    pub id: String,
    pub answer: String,
}

/// The whole answer. Also the form of a JSON answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    #[serde(default)]
    pub consultation_id: Option<String>,
    /// `sha256:…`: the bundle that it answers.
    pub bundle: String,
    pub verdict: Verdict,
    pub claims: Vec<ClaimAnswer>,
    #[serde(default)]
    pub questions: Vec<QuestionAnswer>,
    #[serde(default)]
    pub objections: Vec<String>,
}

/// What was asked: the ids that an answer may name.
#[derive(Debug, Clone, Deserialize)]
pub struct Asked {
    pub claims: Vec<AskedItem>,
    pub questions: Vec<AskedItem>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct AskedItem {
    pub id: String,
}

impl Asked {
    fn claim_ids(&self) -> impl Iterator<Item = &str> {
        self.claims.iter().map(|claim| claim.id.as_str())
    }

    fn question_ids(&self) -> impl Iterator<Item = &str> {
        self.questions.iter().map(|question| question.id.as_str())
    }
}

/// Reads an answer called `name`.
///
/// # Errors
/// With its line: no or two verdicts, no bundle, an unknown word or id, a claim answered twice.
pub fn parse(name: &str, text: &str, asked: &Asked) -> Result<Response> {
    let response = match text.trim_start().starts_with('{') {
        true => json(name, text)?,
        false => Markdown { name, asked }.parse(text)?,
    };
    checked(name, response, asked)
}

fn fail(name: &str, line: Option<usize>, message: impl Into<String>) -> Error {
    let position = match line {
        Some(line) => Position { file: name.into(), line: Some(line as u64), column: None },
        None => Position::file(name),
    };
    Error::new(message).at(position)
}

fn json(name: &str, text: &str) -> Result<Response> {
    serde_json::from_str(text).map_err(|error| {
        let at = Position::at(name, error.line() as u64, error.column() as u64);
        Error::new(format!("not an answer: {error}")).at(at).help("the form stands in REQUEST.md of the bundle")
    })
}

/// What both forms must keep to.
fn checked(name: &str, mut response: Response, asked: &Asked) -> Result<Response> {
    for (index, answer) in response.claims.iter().enumerate() {
        if !asked.claim_ids().any(|id| id == answer.id) {
            let hint = did_you_mean(&answer.id, asked.claim_ids());
            return Err(fail(name, None, format!("the bundle makes no claim {:?}{hint}", answer.id)));
        }
        if response.claims[..index].iter().any(|earlier| earlier.id == answer.id) {
            return Err(fail(name, None, format!("the claim {:?} is answered twice", answer.id)));
        }
    }
    if let Some(answer) = response.questions.iter().find(|answer| !asked.question_ids().any(|id| id == answer.id)) {
        return Err(fail(name, None, format!("the bundle asks no question {:?}", answer.id)));
    }
    let cut = |text: &mut String| *text = text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
    response.claims.iter_mut().for_each(|answer| cut(&mut answer.comment));
    response.questions.iter_mut().for_each(|answer| cut(&mut answer.answer));
    response.objections.truncate(MAX_OBJECTIONS);
    response.objections.iter_mut().for_each(cut);
    Ok(response)
}

/// Which part of a Markdown answer a line stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Head,
    Claims,
    Questions,
    Objections,
    Other,
}

struct Markdown<'a> {
    name: &'a str,
    asked: &'a Asked,
}

impl Markdown<'_> {
    fn parse(&self, text: &str) -> Result<Response> {
        let mut part = Part::Head;
        let (mut verdict, mut bundle, mut consultation_id) = (None, None, None);
        let (mut claims, mut questions, mut objections) = (Vec::new(), Vec::new(), Vec::new());
        for (index, raw) in text.lines().enumerate() {
            let number = index + 1;
            let line = without_marks(raw);
            if let Some(heading) = raw.trim_start().strip_prefix('#') {
                part = match heading.trim_start_matches('#').trim().trim_matches('*').to_ascii_lowercase().as_str() {
                    "claims" => Part::Claims,
                    "questions" => Part::Questions,
                    "objections" => Part::Objections,
                    _ if part == Part::Head => Part::Head,
                    _ => Part::Other,
                };
                continue;
            }
            if line.is_empty() || line.chars().all(|c| matches!(c, '-' | ':' | '|' | ' ' | '`')) {
                continue;
            }
            match part {
                Part::Head | Part::Other => {
                    let Some((label, value)) = line.split_once(':') else { continue };
                    let value = value.trim();
                    match label.trim().to_ascii_lowercase().as_str() {
                        "verdict" => {
                            let word = word(value, &Verdict::ALL, "verdict")
                                .map_err(|why| fail(self.name, Some(number), why))?;
                            if verdict.replace(word).is_some() {
                                return Err(fail(self.name, Some(number), "a second verdict: give one"));
                            }
                        }
                        "bundle" => bundle = Some(value.to_owned()),
                        "consultation" | "consultation id" => consultation_id = Some(value.to_owned()),
                        _ => {}
                    }
                }
                Part::Claims => claims.extend(self.claim(raw, &line, number)?),
                Part::Questions => questions.extend(self.question(&line)),
                Part::Objections => {
                    if !["none", "none.", "no objections", "no objections."]
                        .contains(&line.to_ascii_lowercase().as_str())
                    {
                        objections.push(line);
                    }
                }
            }
        }
        let missing = |what: &str, form: &str| {
            fail(self.name, None, format!("no {what} in the answer")).help(format!("add a line `{form}`"))
        };
        Ok(Response {
            consultation_id,
            bundle: bundle.ok_or_else(|| missing("bundle", "Bundle: sha256:…"))?,
            verdict: verdict
                .ok_or_else(|| missing("verdict", "Verdict: approved | approved_with_objections | rejected"))?,
            claims,
            questions,
            objections,
        })
    }

    /// `id: agree, comment` as a list item or a row of a table.
    fn claim(&self, raw: &str, line: &str, number: usize) -> Result<Option<ClaimAnswer>> {
        let known = self.asked.claim_ids().filter(|id| {
            line.strip_prefix(id).is_some_and(|rest| rest.trim_start().starts_with([':', '|', '-', '–', '=']))
        });
        let Some(id) = known.max_by_key(|id| id.len()) else {
            // A sentence between the answers is not one; an item that names an answer is.
            let item = raw.trim_start().starts_with(['-', '*', '|', '+']);
            let head = line.split([':', '|']).next().unwrap_or_default().trim();
            if !item
                || head.eq_ignore_ascii_case("claim")
                || head.eq_ignore_ascii_case("id")
                || !line.contains([':', '|'])
            {
                return Ok(None);
            }
            let hint = did_you_mean(head, self.asked.claim_ids());
            return Err(fail(self.name, Some(number), format!("the bundle makes no claim {head:?}{hint}")));
        };
        let rest = line[id.len()..].trim_start_matches([':', '|', '-', '–', '=', ' ']);
        let end = rest.find([',', ';', ':', '|', '.', '(', '–']).unwrap_or(rest.len());
        let mut answer = rest[..end].trim();
        let mut comment = rest[end..].trim_matches([',', ';', ':', '|', '.', '–', ' ']);
        // `agree - because …`
        if let Some((before, behind)) = answer.split_once(" - ") {
            (answer, comment) = (before, behind);
        }
        let answer = word(answer, &Agreement::ALL, "answer")
            .map_err(|why| fail(self.name, Some(number), format!("claim {id}: {why}")))?;
        Ok(Some(ClaimAnswer { id: id.into(), answer, comment: comment.into() }))
    }

    fn question(&self, line: &str) -> Option<QuestionAnswer> {
        let (id, answer) = line.split_once([':', '|'])?;
        let id = self.asked.question_ids().find(|known| known.eq_ignore_ascii_case(id.trim()))?;
        Some(QuestionAnswer { id: id.into(), answer: answer.trim_matches(['|', ' ']).into() })
    }
}

/// A line without the marks of a list, a table or emphasis.
fn without_marks(line: &str) -> String {
    let line = line.trim().trim_start_matches(['|', '>', ' ']).trim_end_matches(['|', ' ']);
    let line =
        line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")).or_else(|| line.strip_prefix("+ ")).unwrap_or(line);
    line.replace(['`', '*'], "").replace("\\_", "_").replace("\\%", "%").trim().to_owned()
}

/// A word of a closed list, however it is spaced or capitalised.
fn word<T: Copy>(text: &str, known: &[(&'static str, T)], what: &str) -> Result<T, String> {
    let plain = text.trim().trim_end_matches('.').to_ascii_lowercase().replace([' ', '-'], "_");
    known.iter().find(|(word, _)| *word == plain).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        format!("the {what} {text:?} is not one of {}", words.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked() -> Asked {
        let items = |ids: &[&str]| ids.iter().map(|id| AskedItem { id: (*id).into() }).collect();
        Asked {
            claims: items(&[
                "improvements.memory_reduction",
                "criteria.100%.success_rate",
                "criteria.stage: two.uploads",
            ]),
            questions: items(&["Q1", "Q2"]),
        }
    }

    const MARKDOWN: &str = "# Validation\n\n**Verdict:** Approved with objections\nBundle: `sha256:ab`\nConsultation: c-1\n\n## Claims\n\nI looked at all.\n\n- `improvements.memory_reduction`: agree\n- criteria.100%.success_rate: **disagree**, the interval is too narrow\n| criteria.stage: two.uploads | cannot tell | no log |\n\n## Questions\n\n- Q1: yes, it follows.\n\n## Objections\n\n- One stage only.\n";

    #[test]
    fn the_form_of_the_request_is_read_with_its_marks() {
        let response = parse("r.md", MARKDOWN, &asked()).unwrap();
        assert_eq!(response.verdict, Verdict::ApprovedWithObjections);
        assert_eq!((response.bundle.as_str(), response.consultation_id.as_deref()), ("sha256:ab", Some("c-1")));
        let claims: Vec<_> = response.claims.iter().map(|c| (c.id.as_str(), c.answer, c.comment.as_str())).collect();
        assert_eq!(
            claims,
            [
                ("improvements.memory_reduction", Agreement::Agree, ""),
                ("criteria.100%.success_rate", Agreement::Disagree, "the interval is too narrow"),
                ("criteria.stage: two.uploads", Agreement::CannotTell, "no log"),
            ]
        );
        assert_eq!(response.questions[0].answer, "yes, it follows.");
        assert_eq!(response.objections, ["One stage only."]);
    }

    #[test]
    fn json_says_the_same() {
        let markdown = parse("r.md", MARKDOWN, &asked()).unwrap();
        let text = serde_json::to_string(&markdown).unwrap();
        assert_eq!(parse("r.json", &text, &asked()).unwrap(), markdown);
    }

    #[test]
    fn what_is_not_an_answer_is_refused_with_its_line() {
        let message = |text: &str| parse("r.md", text, &asked()).unwrap_err().to_string();
        assert!(message("Bundle: sha256:ab\n").contains("no verdict in the answer"));
        assert!(message("Verdict: approved\n").contains("no bundle in the answer"));
        assert!(message("Verdict: fine\n").starts_with("r.md:1: the verdict \"fine\" is not one of approved"));
        assert!(message("Verdict: approved\nVerdict: rejected\n").starts_with("r.md:2: a second verdict"));
        let claim = message("Verdict: approved\nBundle: x\n## Claims\n- improvements.memory_reductoin: agree\n");
        assert!(claim.starts_with("r.md:4: the bundle makes no claim") && claim.contains("did you mean"), "{claim}");
        let answer = message("Verdict: approved\nBundle: x\n## Claims\n- improvements.memory_reduction: perhaps\n");
        assert!(answer.contains("\"perhaps\" is not one of agree, disagree, cannot_tell"), "{answer}");
        let twice = "Verdict: approved\nBundle: x\n## Claims\n- improvements.memory_reduction: agree\n- improvements.memory_reduction: disagree\n";
        assert!(message(twice).contains("answered twice"));
        assert!(message("{\"verdict\": \"approved\"}").starts_with("r.md:1:"));
    }

    #[test]
    fn damage_never_invents_an_answer() {
        let markdown = parse("r.md", MARKDOWN, &asked()).unwrap();
        for sound in [MARKDOWN.to_owned(), serde_json::to_string(&markdown).unwrap()] {
            crate::damage::for_each_damage(sound.as_bytes(), |bytes| {
                let Ok(response) = parse("r", &String::from_utf8_lossy(bytes), &asked()) else { return };
                // Every claim that is answered is one that was asked, and none twice.
                let mut ids: Vec<&str> = response.claims.iter().map(|claim| claim.id.as_str()).collect();
                ids.sort_unstable();
                assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
                assert!(ids.iter().all(|id| asked().claim_ids().any(|known| known == *id)), "{ids:?}");
            });
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(?s).{0,400}") {
            let _ = parse("r.md", &text, &asked());
        }

        #[test]
        fn no_line_of_claims_makes_it_panic(line in "[-|* ]{0,3}(improvements.memory_reduction|Q1|é)?[:|,. –-]{0,4}.{0,40}") {
            let _ = parse("r.md", &format!("Verdict: approved\nBundle: x\n## Claims\n{line}\n## Questions\n{line}\n"), &asked());
        }
    }
}
