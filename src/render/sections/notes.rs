//! What people wrote, as they wrote it.

use serde::Serialize;

use super::super::markdown;
use crate::report::model::Note;

#[derive(Serialize)]
pub(crate) struct NoteView {
    title: &'static str,
    file: String,
    html: String,
    quotation: String,
}

pub(crate) fn note(note: &Note) -> NoteView {
    NoteView {
        title: match note.kind.as_str() {
            "findings" => "Findings",
            "lessons_learned" => "Lessons learned",
            _ => "Recommendations",
        },
        file: note.file.clone(),
        html: markdown::to_html(&note.markdown),
        quotation: markdown::to_quotation(&note.markdown),
    }
}
